import { generateKeyPairSync } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import { describe, expect, it } from 'vitest';
import { parseSigningKeys, toJwks } from './signing-keys.js';

const newKey = () => generateKeyPairSync('ed25519').privateKey;
const jwkOf = (kid?: string) => ({ ...newKey().export({ format: 'jwk' }), ...(kid === undefined ? {} : { kid }) });
const pemOf = () => newKey().export({ format: 'pem', type: 'pkcs8' }).toString();

describe('signing keys', () => {
  it.each([
    ['a JWK', JSON.stringify(jwkOf('a')), 1],
    ['an array', JSON.stringify([jwkOf('a'), jwkOf('b')]), 2],
    ['a set', JSON.stringify({ keys: [jwkOf('a'), jwkOf('b'), jwkOf()] }), 3],
    ['PEM', pemOf(), 1],
    ['two PEM blocks with text between them', `${pemOf()}\nthe next one\n${pemOf()}`, 2],
  ])('are read from %s, in their order', (_, text, length) => {
    const keys = parseSigningKeys(text);
    expect(keys).toHaveLength(length);
    expect(new Set(keys.map(({ id }) => id)).size).toBe(length);
  });

  it('without an id are named by their thumbprint', async () => {
    const jwk = jwkOf();
    const [{ id }] = parseSigningKeys(JSON.stringify(jwk));
    expect(id).toBe(await calculateJwkThumbprint(jwk));
  });

  it('show their public half only', () => {
    const published = toJwks(parseSigningKeys(JSON.stringify([jwkOf('a'), jwkOf('b')])));
    const { keys } = JSON.parse(published) as { keys: { kid: string }[] };
    expect(keys.map(({ kid }) => kid)).toEqual(['a', 'b']);
    expect(published).not.toContain('"d"');
  });

  const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey;
  it.each([
    ['nothing', ''],
    ['an empty set', '{"keys":[]}'],
    ['a public key', JSON.stringify({ ...jwkOf('a'), d: undefined })],
    ['a key of another kind', JSON.stringify(rsa.export({ format: 'jwk' }))],
    ['a PEM key of another kind', rsa.export({ format: 'pem', type: 'pkcs8' }).toString()],
    ['a symmetric key', JSON.stringify({ kty: 'oct', k: 'c2VjcmV0' })],
    ['an id twice', JSON.stringify([jwkOf('a'), jwkOf('a')])],
    ['broken JSON', '{"kty":"OKP","d":"very-secret'],
  ])('are refused from %s, without repeating any of it', (_, text) => {
    let message = '';
    try {
      parseSigningKeys(text);
    } catch (error) {
      message = String(error);
    }
    expect(message).not.toBe('');
    expect(message).not.toContain('very-secret');
  });
});
