import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { newIssuerKey, OidcIssuer } from '#libs/testing';
import { OidcSuite } from '../../test/oidc-suite.js';

let suite: OidcSuite;
beforeAll(async () => {
  suite = await OidcSuite.start();
});
afterAll(() => suite.stop());
beforeEach(() => suite.begin());
afterEach(() => void vi.useRealTimers());

describe('an answer of the provider', () => {
  /** Signs in with an id token that `forge` has made. */
  async function withToken(forge: NonNullable<OidcIssuer['tamper']>, provider = suite.providerId): Promise<string> {
    const before = await suite.counts();
    suite.issuer.tamper = forge;
    const code = await suite.refusal(suite.browser(provider).signIn(suite.account.sub));
    expect(await suite.counts()).toEqual(before);
    return code;
  }
  const encoded = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');

  it('is taken when it is signed anew by the provider, so that the refusals below are for what they change', async () => {
    suite.issuer.tamper = (claims) => suite.issuer.sign(claims);
    const browser = suite.browser();
    await browser.signIn(suite.account.sub);
    expect(await suite.userOf(browser)).toMatchObject({ email: suite.account.email });
  });

  it('alg none: is refused without a signature', async () => {
    expect(await withToken((claims) => `${encoded({ alg: 'none' })}.${encoded(claims)}.`)).toBe('sso.answer_refused');
  });

  it('HS256 with the public key: is refused when it is signed by what everybody knows', async () => {
    const { createHmac, createPublicKey } = await import('node:crypto');
    const pem = createPublicKey({ key: suite.issuer.key.jwk, format: 'jwk' }).export({
      type: 'spki',
      format: 'pem',
    });
    const forge = (claims: object): string => {
      const text = `${encoded({ alg: 'HS256', kid: suite.issuer.key.jwk.kid })}.${encoded(claims)}`;
      return `${text}.${createHmac('sha256', pem).update(text).digest('base64url')}`;
    };
    expect(await withToken(forge)).toBe('sso.answer_refused');
  });

  it('unknown kid: is refused, and does not have the provider asked for its keys each time', async () => {
    const other = await newIssuerKey('unknown');
    const asked = suite.issuer.keysAsked;
    for (let round = 0; round < 3; round += 1) {
      expect(await withToken((claims) => suite.issuer.sign(claims, other))).toBe('sso.answer_refused');
    }
    expect(suite.issuer.keysAsked - asked).toBeLessThanOrEqual(1);
  });

  it('attacker’s jku: is refused, and nothing is fetched from there', async () => {
    const other = await newIssuerKey('issuer-1');
    const attacker = await OidcIssuer.start({ accounts: [], clients: [] });
    attacker.publishedKeys = [other.jwk];
    const forge = (claims: object) => suite.issuer.sign({ ...claims }, other, { jku: `${attacker.issuer}/jwks` });
    expect(await withToken(forge)).toBe('sso.answer_refused');
    expect(attacker.keysAsked).toBe(0);
    await attacker.stop();
  });

  it('nonce: is refused when it was made for another sign-in, or for none', async () => {
    expect(await withToken((claims) => suite.issuer.sign({ ...claims, nonce: 'another' }))).toBe('sso.answer_refused');
    expect(await withToken((claims) => suite.issuer.sign({ ...claims, nonce: undefined }))).toBe('sso.answer_refused');
  });

  it('of another issuer, for another client, or without a subject is refused', async () => {
    for (const change of [
      { iss: 'https://evil.example' },
      { aud: 'another' },
      { sub: undefined },
      { azp: 'another' },
    ]) {
      expect(await withToken((claims) => suite.issuer.sign({ ...claims, ...change }))).toBe('sso.answer_refused');
    }
  });

  it('expired and not-yet-valid with skew: is refused beyond the skew of the clocks, and taken within', async () => {
    const now = Math.floor(Date.now() / 1_000);
    for (const change of [{ exp: now - 60 }, { nbf: now + 60 }, { exp: now - 31 }]) {
      expect(await withToken((claims) => suite.issuer.sign({ ...claims, ...change }))).toBe('sso.answer_refused');
    }
    for (const change of [{ exp: now - 15 }, { nbf: now + 15 }]) {
      suite.issuer.tamper = (claims) => suite.issuer.sign({ ...claims, ...change });
      await expect(suite.browser().signIn(suite.account.sub)).resolves.toBeDefined();
    }
  });
});

describe('the keys of the provider', () => {
  it('rotate: a new key is found without a restart, once the provider may be asked again', async () => {
    const next = await newIssuerKey('issuer-2');
    const provider = await suite.createProvider();
    await suite.browser(provider).signIn(suite.account.sub);
    suite.issuer.publishedKeys = [suite.issuer.key.jwk, next.jwk];
    suite.issuer.tamper = (claims) => suite.issuer.sign(claims, next);
    expect(await suite.refusal(suite.browser(provider).signIn(suite.account.sub))).toBe('sso.answer_refused');
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 });
    await expect(suite.browser(provider).signIn(suite.account.sub)).resolves.toBeDefined();
  });
});
