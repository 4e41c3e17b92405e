import { randomUUID } from 'node:crypto';
import type { JWTPayload } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { federationRequests, identityProviderRequests } from '#libs/contracts';
import { TokenVerifier } from '#libs/identity';
import { newIssuerKey, OidcIssuer, startPostgres, until, type PostgresServer } from '#libs/testing';
import { AuthHarness } from '../../test/auth-harness.js';
import { gatewayOrigin, SsoBrowser } from '../../test/sso-browser.js';

const client = { client_id: 'sluice', client_secret: 'a-secret-of-the-client-of-tests' };
const account = { sub: 'ann', email: 'ann@example.com', email_verified: true, name: 'Ann' };
const event = 'http://schemas.openid.net/event/backchannel-logout';

let server: PostgresServer;
let auth: AuthHarness;
let issuer: OidcIssuer;
let providerId: string;

beforeAll(async () => {
  server = await startPostgres();
  auth = await AuthHarness.start(await server.createDatabase(), {
    SLUICE_AUTH_PROVIDER_ALLOWED_NETWORKS: '127.0.0.0/8',
  });
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

describe('a logout by the provider', () => {
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
