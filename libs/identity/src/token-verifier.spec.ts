import { createHmac, randomUUID } from 'node:crypto';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, type CryptoKey, type JWTHeaderParameters } from 'jose';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Revocation } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { FakeClock } from '#libs/testing';
import {
  accessTokenForm,
  permissionsOfRoles,
  RevocationView,
  SigningKeySet,
  toClaims,
  TokenVerifier,
  type IdentityAuthority,
  type Principal,
} from './index.js';

interface Key {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
}

async function newKey(kid: string): Promise<Key> {
  return { kid, ...(await generateKeyPair('EdDSA', { extractable: true })) };
}

/** Auth, as the verifier sees it. */
class FakeAuthority implements IdentityAuthority {
  keys: Key[] = [];
  revoked: Revocation[] = [];
  isDown = false;
  asked = { keys: 0, revocations: [] as number[] };
  now: () => Date | undefined = () => undefined;

  async signingKeys(): Promise<string> {
    this.asked.keys += 1;
    if (this.isDown) throw new AppError('bus.timeout', 'No answer.');
    const keys = await Promise.all(
      this.keys.map(async ({ kid, publicKey }) => ({ ...(await exportJWK(publicKey)), kid, alg: 'EdDSA', use: 'sig' })),
    );
    return JSON.stringify({ keys });
  }

  async revocations(afterRevision: number) {
    this.asked.revocations.push(afterRevision);
    if (this.isDown) throw new AppError('bus.timeout', 'No answer.');
    return { revision: this.revoked.length, revocations: this.revoked.slice(afterRevision), now: this.now() };
  }
}

let key: Key;
let authority: FakeAuthority;
let clock: FakeClock;
let verifier: TokenVerifier;
let view: RevocationView;

function newVerifier(): void {
  view = new RevocationView(authority, clock, AppLogger.create({ service: 's', instance: 'i', level: 'silent' }));
  verifier = new TokenVerifier(new SigningKeySet(authority, clock), view, clock);
}

beforeEach(async () => {
  key = await newKey('k1');
  authority = new FakeAuthority();
  authority.keys = [key];
  clock = new FakeClock();
  newVerifier();
});

function newPrincipal(change: Partial<Principal> = {}): Principal {
  return {
    userId: 'usr_1',
    workspaceId: 'wsp_1',
    sessionId: 'ses_1',
    permissions: permissionsOfRoles(['analyst']),
    groups: ['west', 'größer'],
    issuedAt: new Date(clock.nowMs()),
    expiresAt: new Date(clock.nowMs() + 300_000),
    ...change,
  };
}

interface Forgery {
  header?: Partial<JWTHeaderParameters>;
  claims?: Record<string, unknown>;
  by?: Key;
}

async function sign(
  principal: Principal = newPrincipal(),
  { header, claims, by = key }: Forgery = {},
): Promise<string> {
  return new SignJWT({
    iss: accessTokenForm.issuer,
    aud: accessTokenForm.audience,
    jti: randomUUID(),
    ...toClaims(principal),
    ...claims,
  })
    .setProtectedHeader({ alg: 'EdDSA', typ: accessTokenForm.type, kid: by.kid, ...header })
    .sign(by.privateKey);
}

async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'accepted';
  } catch (error) {
    return error instanceof AppError ? error.code : `no AppError: ${String(error)}`;
  }
}

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Waits for what a background refresh does, which is all promises and no time. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('an access token', () => {
  it('that is good names its principal in full', async () => {
    const principal = newPrincipal({ apiKeyId: 'key_1' });
    expect(await verifier.verify(await sign(principal))).toEqual(principal);
  });

  it('of a newer release loses the permissions that are not known here', async () => {
    const token = await sign(newPrincipal(), { claims: { scope: 'query.run galaxy.rule toString' } });
    expect([...(await verifier.verify(token)).permissions]).toEqual(['query.run']);
  });

  it('is asked for keys and revocations once, and verified without asking from then on', async () => {
    const token = await sign();
    for (let round = 0; round < 100; round += 1) await verifier.verify(token);
    expect(authority.asked).toEqual({ keys: 1, revocations: [0] });
  });

  it('expires at its time, also where it was verified before', async () => {
    const token = await sign();
    await verifier.verify(token);
    clock.advance(304_000);
    await view.ensureFresh();
    expect(await refusal(verifier.verify(token))).toBe('accepted');
    clock.advance(2_000);
    expect(await refusal(verifier.verify(token))).toBe('auth.token_expired');
    newVerifier();
    expect(await refusal(verifier.verify(token))).toBe('auth.token_expired');
  });

  it('expired and not-yet-valid with skew: five seconds either way are let pass, and no more', async () => {
    const nowSeconds = clock.nowMs() / 1_000;
    const outcomeAt = async (claims: Record<string, number>) =>
      refusal(verifier.verify(await sign(newPrincipal(), { claims })));
    expect(await outcomeAt({ exp: nowSeconds - 4 })).toBe('accepted');
    expect(await outcomeAt({ exp: nowSeconds - 6 })).toBe('auth.token_expired');
    expect(await outcomeAt({ nbf: nowSeconds + 4 })).toBe('accepted');
    expect(await outcomeAt({ nbf: nowSeconds + 6 })).toBe('auth.unauthenticated');
  });

  it('is judged by the database’s time where this machine’s clock is an hour wrong', async () => {
    const wrongByMs = 3_600_000;
    authority.now = () => new Date(clock.nowMs() + wrongByMs);
    const times = {
      issuedAt: new Date(clock.nowMs() + wrongByMs),
      expiresAt: new Date(clock.nowMs() + wrongByMs + 60_000),
    };
    expect(await refusal(verifier.verify(await sign(newPrincipal(times))))).toBe('accepted');
    expect(await refusal(verifier.verify(await sign()))).toBe('auth.token_expired');
  });
});

describe('a forged access token is refused', () => {
  it('with alg none, in any spelling, with and without a signature', async () => {
    const [, body = '', signature = ''] = (await sign()).split('.');
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '']) {
      const header = base64url({ alg, typ: accessTokenForm.type, kid: 'k1' });
      expect(await refusal(verifier.verify(`${header}.${body}.`))).toBe('auth.unauthenticated');
      expect(await refusal(verifier.verify(`${header}.${body}.${signature}`))).toBe('auth.unauthenticated');
    }
  });

  it('with HS256 and the public key as its secret, as PEM, JWK or raw', async () => {
    const jwk = await exportJWK(key.publicKey);
    const secrets = [await exportSPKI(key.publicKey), JSON.stringify(jwk), Buffer.from(jwk.x ?? '', 'base64url')];
    const [, body = ''] = (await sign()).split('.');
    for (const alg of ['HS256', 'HS512']) {
      for (const secret of secrets) {
        const signed = `${base64url({ alg, typ: accessTokenForm.type, kid: 'k1' })}.${body}`;
        const mac = createHmac(alg === 'HS256' ? 'sha256' : 'sha512', secret)
          .update(signed)
          .digest('base64url');
        expect(await refusal(verifier.verify(`${signed}.${mac}`))).toBe('auth.unauthenticated');
      }
    }
  });

  it('with a key of the attacker in its header: jku, x5u, jwk, x5c', async () => {
    const attacker = await newKey('k1');
    const jwk = await exportJWK(attacker.publicKey);
    const headers = [
      { jku: 'https://attacker.example/jwks.json' },
      { x5u: 'https://attacker.example/cert.pem' },
      { jwk },
      { x5c: [Buffer.from('cert').toString('base64')] },
    ];
    for (const header of headers) {
      expect(await refusal(verifier.verify(await sign(newPrincipal(), { header, by: attacker })))).toBe(
        'auth.unauthenticated',
      );
    }
    expect(authority.asked.keys).toBe(1);
  });

  it('signed by a key of another id, of no id, or of an id that is a path or a statement', async () => {
    const attacker = await newKey('k1');
    for (const kid of ['k2', '../../dev/null', "' or 1=1 --", '__proto__', 'constructor']) {
      expect(await refusal(verifier.verify(await sign(newPrincipal(), { header: { kid }, by: attacker })))).toBe(
        'auth.unauthenticated',
      );
    }
    const noId = await new SignJWT({ ...toClaims(newPrincipal()) })
      .setProtectedHeader({ alg: 'EdDSA', typ: accessTokenForm.type })
      .sign(key.privateKey);
    expect(await refusal(verifier.verify(noId))).toBe('auth.unauthenticated');
  });

  it('with any claim changed after signing', async () => {
    const [header = '', , signature = ''] = (await sign()).split('.');
    const claims = { ...toClaims(newPrincipal()), scope: 'user.manage', iss: accessTokenForm.issuer, aud: 'sluice' };
    expect(await refusal(verifier.verify(`${header}.${base64url(claims)}.${signature}`))).toBe('auth.unauthenticated');
  });

  it.each<[string, Forgery]>([
    ['of another issuer', { claims: { iss: 'https://attacker.example' } }],
    ['without issuer', { claims: { iss: undefined } }],
    ['for another audience', { claims: { aud: 'another-installation' } }],
    ['without audience', { claims: { aud: undefined } }],
    ['that never expires', { claims: { exp: undefined } }],
    ['without its time of issue', { claims: { iat: undefined } }],
    ['without a subject', { claims: { sub: undefined } }],
    ['without a workspace', { claims: { wsp: undefined } }],
    ['with a workspace that is no text', { claims: { wsp: ['wsp_1', 'wsp_2'] } }],
    ['that is not good yet', { claims: { nbf: 4_000_000_000 } }],
    ['that is another kind of token', { header: { typ: 'JWT' } }],
    ['with a critical extension', { header: { crit: ['exp'] } }],
  ])('%s, though rightly signed', async (_, forgery) => {
    const token = await sign(newPrincipal(), forgery).catch(() => 'not.signable.here');
    expect(await refusal(verifier.verify(token))).toBe('auth.unauthenticated');
  });

  it.each(['', '.', '..', '...', 'a.b.c', 'Bearer x', '💥.💥.💥', 'x'.repeat(8_193)])('when it is %j', async (text) => {
    expect(await refusal(verifier.verify(text))).toBe('auth.unauthenticated');
  });
});

describe('signing keys', () => {
  it('that are new are fetched when first met; unknown ones cause one asking in 5 s', async () => {
    await verifier.verify(await sign());
    const next = await newKey('k2');
    authority.keys = [next, key];
    clock.advance(5_000);
    expect(await refusal(verifier.verify(await sign(newPrincipal(), { by: next })))).toBe('accepted');
    const askedBefore = authority.asked.keys;
    for (let index = 0; index < 50; index += 1) {
      await refusal(verifier.verify(await sign(newPrincipal(), { header: { kid: `made-up-${index}` } })));
    }
    expect(authority.asked.keys - askedBefore).toBe(0);
    clock.advance(5_000);
    await refusal(verifier.verify(await sign(newPrincipal(), { header: { kid: 'made-up' } })));
    expect(authority.asked.keys - askedBefore).toBe(1);
  });

  it('that were withdrawn stop to count, also for tokens verified before', async () => {
    const token = await sign(newPrincipal({ expiresAt: new Date(clock.nowMs() + 3_000_000) }));
    await verifier.verify(token);
    authority.keys = [await newKey('k2')];
    clock.advance(61_000);
    // Stale: it is still used once while the new set is fetched behind it.
    await refusal(verifier.verify(token));
    await settle();
    clock.advance(61_000);
    expect(await refusal(verifier.verify(token))).toBe('auth.unauthenticated');
  });

  it('of other kinds in the set are passed over', async () => {
    const honest = authority.signingKeys.bind(authority);
    authority.signingKeys = async () => {
      const { keys } = JSON.parse(await honest()) as { keys: unknown[] };
      return JSON.stringify({
        keys: [{ kty: 'RSA', kid: 'k1', n: 'x', e: 'AQAB' }, { kty: 'oct', kid: 'k1', k: 'c2VjcmV0' }, ...keys],
      });
    };
    expect(await refusal(verifier.verify(await sign()))).toBe('accepted');
  });
});

describe('revocations', () => {
  const revoke = (subject: Revocation['subject'], subjectId: string, atMs: number) =>
    authority.revoked.push({ subject, subjectId, notBefore: new Date(atMs) });

  it.each<[Revocation['subject'], string]>([
    ['USER', 'usr_1'],
    ['SESSION', 'ses_1'],
    ['API_KEY', 'key_1'],
  ])(
    'of a %s refuse what was issued before, to the millisecond, and let through what comes after',
    async (subject, id) => {
      revoke(subject, id, clock.nowMs());
      const issuedAt = (ms: number) => newPrincipal({ apiKeyId: 'key_1', issuedAt: new Date(clock.nowMs() + ms) });
      expect(await refusal(verifier.verify(await sign(issuedAt(-1))))).toBe('auth.token_revoked');
      expect(await refusal(verifier.verify(await sign(issuedAt(0))))).toBe('accepted');
      expect(await refusal(verifier.verify(await sign(issuedAt(1))))).toBe('accepted');
    },
  );

  it('of others, or of the same id of another kind, refuse nobody', async () => {
    revoke('USER', 'usr_2', clock.nowMs() + 1_000);
    revoke('SESSION', 'usr_1', clock.nowMs() + 1_000);
    expect(await refusal(verifier.verify(await sign()))).toBe('accepted');
  });

  it('fail closed: when they are older than 30 s and cannot be read, nobody is let in, and nobody is called an impostor', async () => {
    const token = await sign();
    await verifier.verify(token);
    authority.isDown = true;
    clock.advance(30_000);
    expect(await refusal(verifier.verify(token))).toBe('accepted');
    clock.advance(1);
    expect(await refusal(verifier.verify(token))).toBe('bus.unavailable');
    authority.isDown = false;
    expect(await refusal(verifier.verify(token))).toBe('accepted');
  });

  it('that come while they cannot be read count as soon as they can', async () => {
    const token = await sign();
    await verifier.verify(token);
    authority.isDown = true;
    revoke('USER', 'usr_1', clock.nowMs() + 1);
    clock.advance(30_001);
    expect(await refusal(verifier.verify(token))).toBe('bus.unavailable');
    authority.isDown = false;
    expect(await refusal(verifier.verify(token))).toBe('auth.token_revoked');
  });

  it('are read on from the last revision, and all anew after five minutes', async () => {
    revoke('USER', 'usr_9', clock.nowMs());
    for (let round = 0; round < 12; round += 1) {
      await view.ensureFresh();
      clock.advance(30_001);
    }
    expect(authority.asked.revocations).toEqual([0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1]);
  });

  it('are asked for once by all who need them at the same moment', async () => {
    const tokens = await Promise.all(Array.from({ length: 50 }, () => sign()));
    await Promise.all(tokens.map((token) => verifier.verify(token)));
    expect(authority.asked).toEqual({ keys: 1, revocations: [0] });
  });
});

describe('The time by which tokens are judged', () => {
  it.each([300_000, -300_000])('is that of auth, also when the clock of this machine is set by %i ms', async (set) => {
    let setMs = 0;
    const machine = { nowMs: () => clock.nowMs() + setMs, monotonicMs: () => clock.monotonicMs() };
    const logger = AppLogger.create({ service: 's', instance: 'i', level: 'silent' });
    const times = new RevocationView(authority, machine, logger);
    authority.now = () => new Date(clock.nowMs());
    await times.ensureFresh();
    setMs = set;
    expect(times.nowMs).toBe(clock.nowMs());
  });
});
