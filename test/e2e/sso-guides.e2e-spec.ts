import { readFileSync } from 'node:fs';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { LdapServer, SamlIdentityProvider } from '#libs/testing';
import { errorFields, type Failures } from '../support/api-types.js';
import { fencedBlocks } from '../support/readme-blocks.js';
import { sharedMesh } from '../support/running-mesh.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

interface Provider {
  id: string;
  signInPath?: string;
}

const made: string[] = [];
afterEach(async () => {
  for (const id of made.splice(0)) {
    await mesh.admin.request(`mutation ($id: ID!) { deleteIdentityProvider(id: $id) { ${errorFields} } }`, { id });
  }
});

function guideOf(name: string): string {
  return readFileSync(`docs/${name}.md`, 'utf8');
}

/** Does what the guide says, with the values of a real peer in the place of the guide's. */
async function createProvider(guide: string, options: Record<string, unknown>, block = 'options'): Promise<Provider> {
  const [document = ''] = fencedBlocks(guide, 'graphql example');
  const [rules = '', shown = ''] = ['rules', block].map((name) => fencedBlocks(guide, `json ${name}`)[0]);
  expect(Object.keys(options)).toEqual(Object.keys(JSON.parse(shown) as object));
  const { createIdentityProvider } = await mesh.admin.request<{
    createIdentityProvider: Failures & { identityProvider: Provider };
  }>(document, { options, rules: JSON.parse(rules) as unknown });
  expect(createIdentityProvider.errors).toEqual([]);
  made.push(createIdentityProvider.identityProvider.id);
  return createIdentityProvider.identityProvider;
}

const get = (address: string, headers: Record<string, string> = {}) => fetch(address, { redirect: 'manual', headers });

function cookieOf(response: Response, name: string): string {
  const cookie = response.headers.getSetCookie().find((one) => one.startsWith(`${name}=`));
  if (cookie === undefined) throw new Error(`${String(response.status)}: there is no cookie ${name}`);
  return cookie;
}

/** Who a browser is to a page of ours. */
async function viewerOf(sessionCookie: string): Promise<{ email: string; groupNames: string[] } | undefined> {
  const headers = { cookie: sessionCookie.split(';')[0] ?? '', origin: mesh.origin };
  const { data } = await mesh.anonymous.send<{ viewer: { user: { email: string; groupNames: string[] } } | null }>(
    '{ viewer { user { email groupNames } } }',
    {},
    headers,
  );
  return data?.viewer?.user;
}

async function expectFailurePage(response: Response, status: number, code: string): Promise<void> {
  expect([response.status, response.headers.get('content-type')]).toEqual([status, 'text/html; charset=utf-8']);
  expect(response.headers.getSetCookie()).toEqual([]);
  const page = await response.text();
  expect(page).toContain(code);
  expect(page).toContain(response.headers.get('x-request-id') ?? 'no id');
}

describe('docs/sso-saml.md', () => {
  test('a browser signs in at the provider and comes back with a session; its answer is good once', async () => {
    await using peer = await SamlIdentityProvider.start();
    peer.person = { id: 'e2e-1', email: 'saml@e2e.example.com', name: 'Ana', groups: ['sales'] };
    const { entityId, signInUrl, certificate } = peer;
    const provider = await createProvider(guideOf('sso-saml'), {
      ...{ entityId, signInUrl, certificates: [certificate] },
      origin: mesh.origin,
    });
    const base = `${mesh.origin}/v1/sso/${provider.id}`;
    const metadata = await get(`${base}/metadata`);
    expect(metadata.headers.get('content-type')).toContain('application/samlmetadata+xml');
    expect(await metadata.text()).toContain(`${base}/acs`);

    const sent = await get(`${mesh.origin}${provider.signInPath ?? ''}?returnTo=/dashboards`);
    expect(sent.status).toBe(303);
    const flow = cookieOf(sent, '__Host-sluice-sso');
    expect(flow).toContain('SameSite=None');
    const page = await (await fetch(sent.headers.get('location') ?? '')).text();
    const [, action = ''] = /action="([^"]+)"/.exec(page) ?? [];
    const [, SAMLResponse = ''] = /value="([^"]+)"/.exec(page) ?? [];
    const post = () =>
      fetch(action, {
        method: 'POST',
        redirect: 'manual',
        headers: { cookie: flow.split(';')[0] ?? '', origin: new URL(signInUrl).origin },
        body: new URLSearchParams({ SAMLResponse, RelayState: 'https://evil.example.com' }),
      });
    const signedIn = await post();
    expect([signedIn.status, signedIn.headers.get('location')]).toEqual([303, '/dashboards']);
    const session = cookieOf(signedIn, '__Host-sluice-session');
    expect(session).toMatch(/; Secure; HttpOnly; SameSite=Lax$/);
    expect(await viewerOf(session)).toEqual({ email: 'saml@e2e.example.com', groupNames: ['sales'] });

    await expectFailurePage(await post(), 400, 'sso.state_wrong');
  });
});

describe('docs/sso-ldap.md', () => {
  const signIn = async (login: string, password: string) => {
    const { workspace } = mesh.access.administrator;
    const [document = ''] = fencedBlocks(guideOf('sso-ldap'), 'graphql signIn');
    const answer = await mesh.anonymous.request<{ signIn: Failures & { accessToken: string | null } }>(document, {
      ...{ login, password, workspace },
    });
    return answer.signIn;
  };
  const groupsOf = async (accessToken: string | null): Promise<string[] | undefined> =>
    (
      await mesh.anonymous
        .as(`Bearer ${accessToken ?? ''}`)
        .request<{ viewer: { user: { groupNames: string[] } } }>('{ viewer { user { groupNames } } }')
    ).viewer.user.groupNames.toSorted();

  test('by search: signIn takes the password that the directory knows, and no other', async () => {
    await using directory = await LdapServer.start();
    const { secureUrl: url, certificateAuthority, bindName, bindPassword, userBase, groupBase } = directory;
    await createProvider(guideOf('sso-ldap'), {
      ...{ url, certificateAuthority, bindName, bindPassword, userBase },
      userFilter: '(|(uid={login})(mail={login}))',
      groupBase,
    });
    const { accessToken, errors } = await signIn('ana', 'ana-password');
    expect(errors).toEqual([]);
    expect(await groupsOf(accessToken)).toEqual(['analysts', 'europe']);
    expect(await signIn('ana', 'wrong')).toMatchObject({ accessToken: null, errors: [{ code: 'UNAUTHENTICATED' }] });
  });

  test('direct: the user binds by StartTLS', async () => {
    await using directory = await LdapServer.start();
    const { url, certificateAuthority, userBase } = directory;
    const options = { url, certificateAuthority, userName: `uid={login},${userBase}` };
    await createProvider(guideOf('sso-ldap'), options, 'direct');
    const { accessToken } = await signIn('bob', 'bob-password');
    expect(await groupsOf(accessToken)).toEqual([]);
  });
});

describe('docs/sso-proxy.md', () => {
  test('the headers of a named network with the secret give a session; others the failure page', async () => {
    const secret = 'a-secret-of-more-than-32-characters-1234';
    const provider = await createProvider(guideOf('sso-proxy'), { networks: ['127.0.0.0/8'], secret });
    const address = `${mesh.origin}${provider.signInPath ?? ''}?returnTo=/dashboards`;
    const headers = {
      'x-forwarded-user': 'e2e-ana',
      'x-forwarded-email': 'proxy@e2e.example.com',
      'x-forwarded-groups': 'sales',
    };
    const signedIn = await get(address, { ...headers, 'x-sluice-proxy-secret': secret });
    expect([signedIn.status, signedIn.headers.get('location')]).toEqual([303, '/dashboards']);
    const session = cookieOf(signedIn, '__Host-sluice-session');
    expect(await viewerOf(session)).toEqual({ email: 'proxy@e2e.example.com', groupNames: ['sales'] });
    await expectFailurePage(await get(address, headers), 400, 'sso.answer_refused');
  });
});
