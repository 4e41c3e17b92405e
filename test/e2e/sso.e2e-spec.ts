import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { OidcIssuer, until } from '#libs/testing';
import { errorFields, type Failures } from '../support/api-types.js';
import { HttpBrowser } from '../support/http-browser.js';
import { signIn as signInByPassword } from '../support/people.js';
import { sharedMesh } from '../support/running-mesh.js';
import { newWorkspace } from '../support/second-workspace.js';

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
  providerId = createIdentityProvider.identityProvider.id;
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
    // One piece, as long as nobody asks for pieces.
    socket.on('message', (data: Buffer) => resolve((JSON.parse(data.toString()) as { type: string }).type));
    socket.on('close', (code) => resolve(`closed with ${code}`));
    socket.on('error', () => resolve('refused'));
  }).finally(() => socket.close());
}

describe('A provider', () => {
  test('is listed, found by its name and read by its id, and never shows its secrets', async () => {
    const { identityProviders, node } = await mesh.admin.request<{
      identityProviders: { nodes: object[]; totalCount: number };
      node: object;
    }>(
      `query ($id: ID!) {
         identityProviders(first: 10, search: "e2e") { nodes { id options secretNames signInPath } totalCount }
         node(id: $id) { __typename id ... on IdentityProvider { name kind } } }`,
      { id: providerId },
    );
    const shown = { id: providerId, secretNames: ['clientSecret'], signInPath: `/v1/sso/${providerId}/login` };
    expect(identityProviders).toMatchObject({ totalCount: 1, nodes: [shown] });
    expect(JSON.stringify(identityProviders)).not.toContain(client.client_secret);
    expect(node).toEqual({ __typename: 'IdentityProvider', id: providerId, name: 'E2E', kind: 'OIDC' });
  });

  test('of one workspace is nothing in another, which enforces single sign-on for itself alone', async () => {
    const other = await newWorkspace(mesh);
    const { identityProviders, node } = await other.request<{ identityProviders: { nodes: object[] }; node: object }>(
      'query ($id: ID!) { identityProviders(first: 10) { nodes { id } } node(id: $id) { id } }',
      { id: providerId },
    );
    expect([identityProviders.nodes, node]).toEqual([[], null]);
    const change = { input: { id: providerId, version: 1, enabled: false } };
    const { updateIdentityProvider } = await other.request<{ updateIdentityProvider: Failures }>(
      `mutation ($input: UpdateIdentityProviderInput!) { updateIdentityProvider(input: $input) { ${errorFields} } }`,
      change,
    );
    expect(updateIdentityProvider.errors).toMatchObject([{ code: 'NOT_FOUND' }]);

    const enforce = async (): Promise<{
      errors: object[];
      workspace: { settings: { ssoEnforced: boolean } } | null;
    }> => {
      const { viewer } = await other.request<{ viewer: { workspace: { settings: { version: number } } } }>(
        '{ viewer { workspace { settings { version } } } }',
      );
      const input = { version: viewer.workspace.settings.version, ssoEnforced: true };
      const { updateWorkspace } = await other.request<{ updateWorkspace: Awaited<ReturnType<typeof enforce>> }>(
        `mutation ($input: UpdateWorkspaceInput!) { updateWorkspace(input: $input) {
           ${errorFields} workspace { settings { ssoEnforced } } } }`,
        { input },
      );
      return updateWorkspace;
    };
    expect((await enforce()).errors).toMatchObject([{ code: 'INVALID_INPUT', path: ['ssoEnforced'] }]);
    await other.request(
      'mutation ($input: CreateIdentityProviderInput!) { createIdentityProvider(input: $input) { identityProvider { id } } }',
      { input: { name: 'Own', kind: 'OIDC', options: { issuer: issuer.issuer, clientId: 'own' } } },
    );
    expect(await enforce()).toMatchObject({ errors: [], workspace: { settings: { ssoEnforced: true } } });
    const { administrator } = mesh.access;
    expect((await signInByPassword(mesh.anonymous, administrator)).errors).toEqual([]);
  });
});

function logLines(name: string): string[] {
  return readFileSync(join(mesh.access.directory, 'log', `${name}.log`), 'utf8').split('\n');
}
