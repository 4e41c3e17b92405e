import { randomUUID } from 'node:crypto';
import type { JWTPayload } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  accountRequests,
  auditRecorded,
  envelopeCodec,
  federationRequests,
  identityProviderRequests,
  type AuditEntry,
} from '#libs/contracts';
import { TokenVerifier } from '#libs/identity';
import { newIssuerKey, OidcIssuer, startPostgres, until, type PostgresServer } from '#libs/testing';
import { AuthHarness } from '../../test/auth-harness.js';
import { gatewayOrigin, SsoBrowser } from '../../test/sso-browser.js';

const settings = { SLUICE_AUTH_PROVIDER_ALLOWED_NETWORKS: '127.0.0.0/8' };
const client = { client_id: 'sluice', client_secret: 'a-secret-of-the-client-of-tests' };
const account = { sub: 'ann', email: 'ann@example.com', email_verified: true, name: 'Ann' };
const event = 'http://schemas.openid.net/event/backchannel-logout';

let server: PostgresServer;
let databaseUrl: string;
let auth: AuthHarness;
let issuer: OidcIssuer;
let providerId: string;

beforeAll(async () => {
  server = await startPostgres();
  databaseUrl = await server.createDatabase();
  auth = await AuthHarness.start(databaseUrl, settings);
  issuer = await OidcIssuer.start({
    accounts: [account, { ...account, sub: 'bob', email: 'bob@example.com' }],
    clients: [{ ...client, redirect_uris: [`${gatewayOrigin}/any`], backchannel_logout_uri: `${gatewayOrigin}/none` }],
    redirectPath: /^\/v1\/sso\//,
  });
  const options = { issuer: issuer.issuer, clientId: client.client_id, clientSecret: client.client_secret };
  const { identityProvider } = await auth.ask(
    identityProviderRequests.createIdentityProvider,
    { name: 'Local', kind: 'OIDC', enabled: true, options, emailDomains: [] },
    await auth.admin(),
  );
  providerId = identityProvider?.id ?? '';
});
afterAll(async () => {
  await issuer.stop();
  await auth.stop();
  await server.stop();
});

async function signedIn(sub = account.sub): Promise<{ browser: SsoBrowser; accessToken: string; sid: string }> {
  let sid = '';
  issuer.tamper = (claims, token) => {
    sid = String(claims['sid']);
    return token;
  };
  const browser = new SsoBrowser(auth, providerId);
  await browser.signIn(sub);
  return { browser, sid, accessToken: await exchange(browser) };
}

async function exchange({ sessionCookie }: SsoBrowser): Promise<string> {
  const request = { cookie: sessionCookie ?? '' };
  return (await auth.ask(federationRequests.exchangeSessionCookie, request)).accessToken;
}

const logoutClaims = (claims: JWTPayload): JWTPayload => ({
  ...{ iss: issuer.issuer, aud: client.client_id, jti: randomUUID(), iat: Math.floor(Date.now() / 1_000) },
  events: { [event]: {} },
  ...claims,
});

const send = async (token: string) =>
  new SsoBrowser(auth, providerId).ask('POST', 'backchannel-logout', {
    body: new URLSearchParams({ logout_token: token }).toString(),
  });

const isOver = async (browser: SsoBrowser): Promise<boolean> => {
  try {
    await exchange(browser);
    return false;
  } catch {
    return true;
  }
};

async function entries(action: string): Promise<AuditEntry[]> {
  const rows = await auth.database.query<{ envelope: Buffer }[]>('select envelope from auth.outbox order by sequence');
  return rows
    .map(({ envelope }) => envelopeCodec.decode(envelope))
    .filter(({ type }) => type === auditRecorded.auth.type)
    .flatMap(({ payload }) => auditRecorded.auth.codec.decode(payload).entries)
    .filter((entry) => entry.action === action);
}

describe('a sign-in that the provider or we refuse', () => {
  it('is in the audit log with its provider, its reason and where it came from, once a second', async () => {
    const comeBack = async (browser: SsoBrowser, state: string): Promise<void> => {
      const said = { state, error: 'access_denied', error_description: 'secret-of-a-stranger', iss: issuer.issuer };
      await auth.refusal(browser.ask('GET', 'callback', { query: new URLSearchParams(said).toString() }));
    };
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const browser = new SsoBrowser(auth, providerId);
      await comeBack(browser, (await browser.begin()).searchParams.get('state') ?? '');
      // What nobody has begun is no sign-in.
      await comeBack(browser, 'made-up');
    }
    const countOf = async (): Promise<number> =>
      (await entries('session.sign_in_failed')).reduce((sum, { after }) => sum + Number(after?.['attempts']), 0);
    await until(async () => (await countOf()) === 3);
    expect((await entries('session.sign_in_failed'))[0]).toMatchObject({
      target: { type: 'identity_provider', id: providerId },
      actor: { kind: 'ANONYMOUS' },
      reason: 'PROVIDER_REFUSED',
    });
    expect(await countOf()).toBe(3);
    expect(JSON.stringify(await entries('session.sign_in_failed'))).not.toContain('secret-of-a-stranger');
  });
});

describe('the session of a browser', () => {
  it('is in the list of one’s sessions, and can be ended there', async () => {
    const { browser, accessToken } = await signedIn();
    const context = await auth.as(accessToken);
    const listed = async () => auth.ask(accountRequests.listSessions, { page: { first: 100 } }, context);
    const current = (await listed()).sessions.find((session) => session.current);
    expect(current?.id).toBe((await auth.principalOf(accessToken)).sessionId);
    const another = await signedIn();
    const { sessionId = '' } = await auth.principalOf(another.accessToken);
    expect((await listed()).sessions.map(({ id }) => id)).toContain(sessionId);
    await auth.ask(accountRequests.revokeSession, { id: sessionId }, context);
    expect([await isOver(another.browser), await isOver(browser)]).toEqual([true, false]);
    expect((await listed()).sessions.map(({ id }) => id)).not.toContain(sessionId);
  });
});

describe('a logout by the provider', () => {
  it('that fails half-way leaves nothing, so that it can be sent again', async () => {
    const { browser, sid } = await signedIn();
    const token = await issuer.sign(logoutClaims({ sid }));
    await auth.database.query(`create function auth.fail() returns trigger language plpgsql as
      $$ begin raise exception 'no revocation can be written'; end $$`);
    await auth.database.query(
      `create trigger fail before insert on auth.revocation for each row execute function auth.fail()`,
    );
    try {
      await auth.refusal(send(token)).catch(() => undefined);
    } finally {
      await auth.database.query(`drop trigger fail on auth.revocation`);
    }
    expect(await isOver(browser)).toBe(false);
    await send(token);
    expect(await isOver(browser)).toBe(true);
  });

  it('ends the session of its own, and no other, within 5 s everywhere', async () => {
    const [first, second] = [await signedIn(), await signedIn()];
    expect(first.sid).not.toBe(second.sid);
    const begun = performance.now();
    await send(await issuer.sign(logoutClaims({ sid: first.sid })));
    const verifier = auth.get(TokenVerifier);
    await until(async () => {
      try {
        await verifier.verify(first.accessToken);
        return false;
      } catch {
        return true;
      }
    });
    expect(performance.now() - begun).toBeLessThan(5_000);
    await expect(verifier.verify(second.accessToken)).resolves.toBeDefined();
    expect([await isOver(first.browser), await isOver(second.browser)]).toEqual([true, false]);
  });

  it('of a subject ends all of its sessions, and nobody else’s', async () => {
    const [first, second, other] = [await signedIn(), await signedIn(), await signedIn('bob')];
    await send(await issuer.sign(logoutClaims({ sub: account.sub })));
    const over = [await isOver(first.browser), await isOver(second.browser), await isOver(other.browser)];
    expect(over).toEqual([true, true, false]);
  });

  it('is refused where the token is not the provider’s, is for another, is old, came before, or is no logout token', async () => {
    const { browser, sid } = await signedIn();
    const now = Math.floor(Date.now() / 1_000);
    const used = await issuer.sign(logoutClaims({ sub: 'nobody' }));
    await send(used);
    const bad = [
      used,
      '',
      await issuer.sign(logoutClaims({ sid }), await newIssuerKey('issuer-1')),
      await issuer.sign(logoutClaims({ sid, iss: 'https://evil.example' })),
      await issuer.sign(logoutClaims({ sid, aud: 'another' })),
      await issuer.sign(logoutClaims({ sid, iat: now - 400 })),
      await issuer.sign(logoutClaims({ sid, exp: now - 60 })),
      await issuer.sign(logoutClaims({ sid, nonce: 'x' })),
      await issuer.sign(logoutClaims({ sid, events: {} })),
      await issuer.sign(logoutClaims({})),
    ];
    for (const token of bad) expect((await auth.refusal(send(token))).code).toBe('sso.answer_refused');
    expect(await isOver(browser)).toBe(false);
  });
});

describe('signing out', () => {
  it('ends the session also where the provider is away, and goes on from there', async () => {
    const { browser } = await signedIn();
    // Another process, which knows nothing of the provider yet.
    const other = await AuthHarness.start(databaseUrl, settings);
    try {
      await auth.database.query(
        `update auth.identity_provider set options = jsonb_set(options, '{issuer}', '"http://127.0.0.1:1"') where id = $1`,
        [providerId],
      );
      const there = new SsoBrowser(other, providerId);
      there.sessionCookie = browser.sessionCookie;
      const { answer } = await there.ask('POST', 'logout', { fromOwnPage: true, returnTo: '/bye' });
      expect(answer).toMatchObject({ case: 'redirect', value: { location: '/bye' } });
      expect(await isOver(browser)).toBe(true);
    } finally {
      await auth.database.query(
        `update auth.identity_provider set options = jsonb_set(options, '{issuer}', to_jsonb($2::text)) where id = $1`,
        [providerId, issuer.issuer],
      );
      await other.stop();
    }
  });

  it('is in the audit log, as is a session that a new sign-in takes the place of', async () => {
    const { browser, accessToken } = await signedIn();
    const { userId, sessionId } = await auth.principalOf(accessToken);
    await browser.signIn(account.sub);
    const second = await auth.principalOf(await exchange(browser));
    await browser.ask('POST', 'logout', { fromOwnPage: true });
    const told = await entries('session.signed_out');
    const actor = { kind: 'USER', id: userId };
    expect(told.find(({ target }) => target?.id === sessionId)).toMatchObject({ actor, after: { by: 'NEW_SIGN_IN' } });
    const last = told.find(({ target }) => target?.id === second.sessionId);
    expect(last).toMatchObject({ actor, after: { by: 'SIGN_OUT' } });
  });

  it('from a page of ours ends the session and goes on to the provider, and back', async () => {
    const { browser } = await signedIn();
    const old = browser.sessionCookie;
    const { answer } = await browser.ask('POST', 'logout', { fromOwnPage: true, returnTo: '/bye' });
    if (answer.case !== 'redirect') throw new Error('it does not go on');
    const location = new URL(answer.value.location);
    expect(location.origin).toBe(issuer.issuer);
    expect(location.href).not.toMatch(/id_token|eyJ/);
    expect(location.searchParams.get('post_logout_redirect_uri')).toBe(
      `${gatewayOrigin}/v1/sso/${providerId}/signed-out`,
    );
    browser.sessionCookie = old;
    expect(await isOver(browser)).toBe(true);
    const query = new URLSearchParams({ state: location.searchParams.get('state') ?? '' }).toString();
    const back = await browser.ask('GET', 'signed-out', { query });
    expect(back.answer).toMatchObject({ case: 'redirect', value: { location: '/bye' } });
  });

  it('from another page is refused: nobody is signed out by a stranger', async () => {
    const { browser } = await signedIn();
    const asked = browser.ask('POST', 'logout', { fromOwnPage: false });
    expect((await auth.refusal(asked)).code).toBe('sso.request_invalid');
    expect(await isOver(browser)).toBe(false);
  });
});
