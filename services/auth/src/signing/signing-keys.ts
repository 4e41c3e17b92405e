import { createHash, createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';

/** A key that signs access tokens. */
export interface SigningKey {
  readonly id: string;
  readonly privateKey: KeyObject;
}

export type SigningKeys = readonly [SigningKey, ...SigningKey[]];

const jwkSchema = z.looseObject({ kty: z.string(), kid: z.string().min(1).max(200).optional() });
const jwksSchema = z.union([
  z.object({ keys: z.array(jwkSchema) }).transform(({ keys }) => keys),
  z.array(jwkSchema),
  jwkSchema.transform((key) => [key]),
]);
const pemBlock = /-----BEGIN PRIVATE KEY-----[\s\S]+?-----END PRIVATE KEY-----/g;

/**
 * Reads the setting: a JWK, an array or set of them, or one or more PEM blocks, all Ed25519 private keys. A key without an
 * id is named by its thumbprint (RFC 7638).
 * @throws Error that says what is wrong and repeats no key
 */
export function parseSigningKeys(text: string): SigningKeys {
  const keys = text.includes('-----BEGIN') ? keysOfPem(text) : keysOfJson(text);
  const [first, ...others] = keys;
  if (!first) throw new Error('there is no signing key');
  if (new Set(keys.map(({ id }) => id)).size !== keys.length) throw new Error('two signing keys have the same id');
  return [first, ...others];
}

/** The public halves, as a JSON Web Key Set. */
export function toJwks(keys: SigningKeys): string {
  const published = keys.map(({ id, privateKey }) => {
    const { kty, crv, x } = publicJwk(privateKey);
    return { kty, crv, x, kid: id, alg: 'EdDSA', use: 'sig' };
  });
  return JSON.stringify({ keys: published });
}

function keysOfPem(text: string): SigningKey[] {
  return (text.match(pemBlock) ?? []).map((pem) => toSigningKey(() => createPrivateKey(pem), undefined));
}

function keysOfJson(text: string): SigningKey[] {
  return jwksSchema
    .parse(parseJson(text))
    .map((jwk) => toSigningKey(() => createPrivateKey({ key: jwk, format: 'jwk' }), jwk.kid));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes what it read.
    throw new Error('it is neither PEM nor JSON');
  }
}

function toSigningKey(read: () => KeyObject, id: string | undefined): SigningKey {
  let privateKey: KeyObject;
  try {
    privateKey = read();
  } catch {
    throw new Error('one of them is no private key');
  }
  if (privateKey.asymmetricKeyType !== 'ed25519') throw new Error('one of them is not of the curve Ed25519');
  return { id: id ?? thumbprint(privateKey), privateKey };
}

function thumbprint(privateKey: KeyObject): string {
  const { crv, kty, x } = publicJwk(privateKey);
  return createHash('sha256').update(JSON.stringify({ crv, kty, x })).digest('base64url');
}

function publicJwk(privateKey: KeyObject): JsonWebKey {
  return createPublicKey(privateKey).export({ format: 'jwk' });
}
