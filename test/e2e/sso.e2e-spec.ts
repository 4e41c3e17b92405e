import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { OidcIssuer, until } from '#libs/testing';
import { errorFields, type Failures } from '../support/api-types.js';
import { HttpBrowser } from '../support/http-browser.js';
import { sharedMesh } from '../support/running-mesh.js';

const mesh = sharedMesh();
const session = '__Host-sluice-session';
const client = { client_id: 'sluice', client_secret: 'a-secret-of-the-client-of-e2e-tests' };
const ann = { sub: 'ann', email: 'ann@sso.example', email_verified: true, name: 'Ann', groups: ['pilots'] };

let issuer: OidcIssuer;
let providerId: string;
const given: string[] = [];

beforeAll(async () => {
  issuer = await OidcIssuer.start({
    accounts: [ann],
    clients: [{ ...client, redirect_uris: [mesh.origin], backchannel_logout_uri: `${mesh.origin}/later` }],
    redirectPath: /^\/v1\/sso\//,
  });
  issuer.tamper = (_claims, token) => {
    given.push(token);
    return token;
  };
  const { createIdentityProvider } = await mesh.admin.request<{
    createIdentityProvider: Failures & { identityProvider: { id: string; options: object; signInPath: string } };
  }>(
    `mutation ($input: CreateIdentityProviderInput!) { createIdentityProvider(input: $input) {
       ${errorFields} identityProvider { id options secretNames signInPath } } }`,
    {
      input: {
        ...{ name: 'E2E', kind: 'OIDC', emailDomains: ['sso.example'] },
        options: {
          ...{ issuer: issuer.issuer, clientId: client.client_id, clientSecret: client.client_secret },
          scopes: ['openid', 'email', 'profile', 'groups'],
        },
        rules: { groups: { claim: 'groups', passThrough: true }, roles: { default: ['analyst'] } },
      },
    },
  );
  expect(createIdentityProvider).toMatchObject({ errors: [], identityProvider: { secretNames: ['clientSecret'] } });
  providerId = createIdentityProvider.identityProvider.id;
  expect(createIdentityProvider.identityProvider.signInPath).toBe(`/v1/sso/${providerId}/login`);
});
afterAll(async () => {
  await issuer.stop();
  await mesh.close();
});

const address = (action: string, search: Record<string, string> = {}): string =>
  `${mesh.origin}/v1/sso/${providerId}/${action}?${new URLSearchParams(search).toString()}`;

/** From the sign-in page to where it leads in the end, which is not visited. */
async function signIn(
  browser: HttpBrowser,
  returnTo = '/done',
): Promise<{ response: Response; next: URL | undefined }> {
  const { at } = await browser.follow(address('login', { returnTo }));
  const chosen = await browser.visit(at, { method: 'POST', body: new URLSearchParams({ account: ann.sub }) });
  const next = new URL(chosen.headers.get('location') ?? '', at);
  return browser.follow(next, ({ pathname }) => pathname !== '/done');
}

async function viewerOf(browser: HttpBrowser, headers: Record<string, string> = {}): Promise<unknown> {
  const response = await browser.visit(`${mesh.origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query: '{ viewer { user { email groupNames } } }' }),
  });
  const { data } = (await response.json()) as { data?: { viewer: unknown } };
  return data?.viewer ?? null;
}

const own = { origin: mesh.origin };
const isAnn = { user: { email: ann.email, groupNames: ['pilots'] } };

describe('A browser that signs in through a provider', () => {
  test('gets a cookie that no script and no other site has, and asks by it', async () => {
    const browser = new HttpBrowser();
    const { response, next } = await signIn(browser);
    expect(next?.href).toBe(`${mesh.origin}/done`);
    const header = response.headers.getSetCookie().find((text) => text.startsWith(session));
    expect(header).toMatch(/^__Host-sluice-session=[\w-]{43}; Path=\/; Max-Age=\d+; Secure; HttpOnly; SameSite=Lax$/);
    expect(await viewerOf(browser, own)).toEqual(isAnn);
    expect(await viewerOf(browser, { 'sec-fetch-site': 'same-origin' })).toEqual(isAnn);
  });

  test('is not used by a page of another origin: neither over HTTP nor over a WebSocket', async () => {
    const browser = new HttpBrowser();
    await signIn(browser);
    expect(await viewerOf(browser, { origin: 'https://evil.example' })).toBeNull();
    expect(await viewerOf(browser, { 'sec-fetch-site': 'cross-site' })).toBeNull();
    expect(await viewerOf(browser)).toBeNull();
    const link = `${mesh.origin}/graphql?query=${encodeURIComponent('{ viewer { id } }')}`;
    const followed = await browser.visit(link, { headers: { 'sec-fetch-site': 'cross-site' } });
    expect(followed.status).toBe(400);

    const cookie = `${session}=${browser.cookie(mesh.origin, session) ?? ''}`;
    expect(await upgraded(cookie, mesh.origin)).toBe('connection_ack');
    expect(await upgraded(cookie, undefined)).toBe('closed with 4401');
    expect(await upgraded(cookie, 'https://evil.example')).toBe('refused');
  });

  test('is known at every gateway, and nowhere any more once it has signed out', async () => {
    const [stays, leaves] = [new HttpBrowser(), new HttpBrowser()];
    await signIn(stays);
    await signIn(leaves);
    const kept = leaves.cookie(mesh.origin, session) ?? '';
    await browserSignsOut(leaves);
    leaves.setCookie(mesh.origin, session, kept);
    const other = new URL(mesh.address(1).url).origin;
    stays.setCookie(other, session, stays.cookie(mesh.origin, session) ?? '');
    const response = await stays.visit(`${other}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: other },
      body: JSON.stringify({ query: '{ viewer { user { email groupNames } } }' }),
    });
    expect(await response.json()).toMatchObject({ data: { viewer: isAnn } });
    await until(async () => (await viewerOf(leaves, own)) === null, {
      timeoutMs: 5_000,
      what: 'the end of the session',
    });
  });

  test('is signed out everywhere within 5 s by the provider', async () => {
    const browser = new HttpBrowser();
    await signIn(browser);
    expect(await viewerOf(browser, own)).toEqual(isAnn);
    const now = Math.floor(Date.now() / 1_000);
    const events = { 'http://schemas.openid.net/event/backchannel-logout': {} };
    const claims = { iss: issuer.issuer, aud: client.client_id, iat: now, jti: `e2e-${now}`, sub: ann.sub, events };
    const token = await issuer.sign(claims);
    const body = new URLSearchParams({ logout_token: token });
    expect((await fetch(address('backchannel-logout'), { method: 'POST', body })).status).toBe(200);
    expect((await fetch(address('backchannel-logout'), { method: 'POST', body })).status).toBe(400);
    await until(async () => (await viewerOf(browser, own)) === null, {
      timeoutMs: 5_000,
      what: 'the end of the session',
    });
  });
});

describe('A sign-in that fails', () => {
  test('ends on one plain page with a code and the request’s id, and its whole reason is in the log', async () => {
    const browser = new HttpBrowser();
    const response = await browser.visit(address('callback', { code: 'x', state: 'a-wrong-state' }));
    expect(response.status).toBe(400);
    expect(response.headers.get('content-type')).toContain('text/html');
    const page = await response.text();
    const requestId = response.headers.get('x-request-id') ?? '';
    expect(page).toContain('sso.state_wrong');
    expect(page).toContain(requestId);
    expect(page).not.toContain('a-wrong-state');
    expect(browser.cookie(mesh.origin, session)).toBeUndefined();
    await until(() =>
      logLines('gateway').some((line) => line.includes(requestId) && line.includes('no sign-in is under way')),
    );
  });

  test.each(['//evil.example', 'https://evil.example', '/\\evil.example'])(
    'open redirect on return URL: %s is refused before anything begins',
    async (returnTo) => {
      const response = await new HttpBrowser().visit(address('login', { returnTo }));
      expect(response.status).toBe(400);
      expect(await response.text()).toContain('sso.return_refused');
    },
  );

  test('is answered alike for every provider that there is not, and for what no provider has', async () => {
    for (const path of ['idp_00000000000000000000000000/login', 'x/login', '%00/login']) {
      const response = await fetch(`${mesh.origin}/v1/sso/${path}`, { redirect: 'manual' });
      expect([path, response.status]).toEqual([path, 404]);
    }
    expect((await fetch(address('nothing'))).status).toBe(400);
    expect((await fetch(address('backchannel-logout'), { method: 'POST', body: '{}' })).status).toBe(400);
  });
});

describe('Secrets of a sign-in', () => {
  test('tokens never in URLs or logs: none of them is in any log of the installation', async () => {
    const browser = new HttpBrowser();
    await signIn(browser);
    expect(given.length).toBeGreaterThan(0);
    const secrets = [...given, browser.cookie(mesh.origin, session) ?? '', client.client_secret];
    for (const name of readdirSync(join(mesh.access.directory, 'log'))) {
      const log = readFileSync(join(mesh.access.directory, 'log', name), 'utf8');
      for (const secret of secrets) expect([name, log.includes(secret)]).toEqual([name, false]);
    }
  });
});

async function browserSignsOut(browser: HttpBrowser): Promise<void> {
  const response = await browser.visit(address('logout'), {
    method: 'POST',
    headers: own,
    body: new URLSearchParams(),
  });
  expect(response.status).toBe(303);
  expect(browser.cookie(mesh.origin, session)).toBeUndefined();
}

/** What comes of a WebSocket whose client shows nothing but a cookie. */
function upgraded(cookie: string, origin: string | undefined): Promise<string> {
  const socket = new WebSocket(mesh.address(0).websocketUrl, 'graphql-transport-ws', {
    headers: { cookie, ...(origin === undefined ? {} : { origin }) },
  });
  return new Promise<string>((resolve) => {
    socket.on('open', () => socket.send(JSON.stringify({ type: 'connection_init' })));
    socket.on('message', (data) => resolve((JSON.parse(String(data)) as { type: string }).type));
    socket.on('close', (code) => resolve(`closed with ${code}`));
    socket.on('error', () => resolve('refused'));
  }).finally(() => socket.close());
}

function logLines(name: string): string[] {
  return readFileSync(join(mesh.access.directory, 'log', `${name}.log`), 'utf8').split('\n');
}
