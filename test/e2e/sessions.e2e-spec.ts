import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApiClient } from '../support/api-client.js';
import { errorFields, type Failures } from '../support/api-types.js';
import { newPerson, refresh, signIn, updateUser, type Person } from '../support/people.js';
import { sharedMesh } from '../support/running-mesh.js';
import { expiredToken, tokenOfAnotherKey } from '../support/tokens.js';
import { until } from '#libs/testing';

const mesh = sharedMesh();
afterAll(() => mesh.close());

let person: Person;
beforeAll(async () => {
  person = await newPerson(mesh.admin, 'analyst', { attributes: { region: 'west' } });
});

async function viewerOf(client: ApiClient): Promise<{ viewer: Viewer | null; codes: (string | undefined)[] }> {
  const { data, errors } = await client.send<{ viewer: Viewer | null }>(
    '{ viewer { id user { email roleNames } workspace { slug } permissions attributes } }',
  );
  return { viewer: data?.viewer ?? null, codes: errors.map((error) => error.extensions?.code) };
}

interface Viewer {
  id: string;
  user: { email: string; roleNames: string[] } | null;
  workspace: { slug: string };
  permissions: string[];
  attributes: Record<string, unknown>;
}

async function signOut(client: ApiClient): Promise<Failures> {
  const data = await client.request<{ signOut: Failures }>(`mutation { signOut { ${errorFields} } }`);
  return data.signOut;
}

describe('Signing in', () => {
  test('gives tokens with which the caller is who they are', async () => {
    const { accessToken, refreshToken, expiresAt, errors } = await signIn(mesh.anonymous, person);
    expect(errors).toEqual([]);
    expect(refreshToken).toBeTypeOf('string');
    expect(Date.parse(expiresAt ?? '')).toBeGreaterThan(Date.now());
    const { viewer } = await viewerOf(mesh.anonymous.as(`Bearer ${accessToken ?? ''}`));
    expect(viewer).toMatchObject({
      user: { email: person.email, roleNames: ['analyst'] },
      workspace: { slug: mesh.access.administrator.workspace },
      attributes: { region: 'west' },
    });
    expect(viewer?.permissions).toEqual(
      expect.arrayContaining(['query.run', 'data_source.read', 'saved_query.manage']),
    );
    expect(viewer?.permissions).not.toContain('user.manage');
  });

  test('takes an address in any case, as mail does', async () => {
    const { errors } = await signIn(mesh.anonymous, { ...person, email: person.email.toUpperCase() });
    expect(errors).toEqual([]);
  });

  test.each([
    ['a wrong password', () => ({ email: person.email, password: 'not the password' })],
    ['an unknown address', () => ({ email: 'nobody@example.com', password: 'not the password' })],
    ['an unknown workspace', () => ({ email: person.email, password: person.password, workspace: 'nowhere' })],
  ])('answers %s with UNAUTHENTICATED and no word about which part was wrong', async (_, input) => {
    const session = await signIn(mesh.anonymous, input());
    expect(session).toMatchObject({ accessToken: null, refreshToken: null, errors: [{ code: 'UNAUTHENTICATED' }] });
    const other = await signIn(mesh.anonymous, { email: 'nobody@example.com', password: 'x' });
    expect(session.errors[0]?.message).toBe(other.errors[0]?.message);
  });

  test('answers nobody with a null viewer and no error', async () => {
    expect(await viewerOf(mesh.anonymous)).toEqual({ viewer: null, codes: [] });
  });
});

describe('Refreshing a session', () => {
  test('rotates the refresh token: the new pair works', async () => {
    const first = await signIn(mesh.anonymous, person);
    const second = await refresh(mesh.anonymous, first.refreshToken ?? '');
    expect(second.errors).toEqual([]);
    expect(second.refreshToken).not.toBe(first.refreshToken);
    const { viewer } = await viewerOf(mesh.anonymous.as(`Bearer ${second.accessToken ?? ''}`));
    expect(viewer?.user?.email).toBe(person.email);
  });

  test('ends the whole session when an old refresh token comes back, as one of the two holders is a thief', async () => {
    const first = await signIn(mesh.anonymous, person);
    const second = await refresh(mesh.anonymous, first.refreshToken ?? '');
    const third = await refresh(mesh.anonymous, second.refreshToken ?? '');
    expect(third.errors).toEqual([]);
    const stolen = await refresh(mesh.anonymous, first.refreshToken ?? '');
    expect(stolen).toMatchObject({ accessToken: null, errors: [{ code: 'UNAUTHENTICATED' }] });
    const honest = await refresh(mesh.anonymous, third.refreshToken ?? '');
    expect(honest).toMatchObject({ accessToken: null, errors: [{ code: 'UNAUTHENTICATED' }] });
    const holder = mesh.anonymous.as(`Bearer ${third.accessToken ?? ''}`);
    await until(async () => (await viewerOf(holder)).viewer === null, {
      timeoutMs: 5_000,
      what: 'the end of the session',
    });
  });

  test('answers a made-up refresh token with UNAUTHENTICATED', async () => {
    const session = await refresh(mesh.anonymous, 'made-up');
    expect(session).toMatchObject({ accessToken: null, errors: [{ code: 'UNAUTHENTICATED' }] });
  });
});

describe('Signing out', () => {
  test('ends the session everywhere within 5 s: neither of its tokens is good any more', async () => {
    const { accessToken, refreshToken } = await signIn(mesh.anonymous, person);
    const client = mesh.anonymous.as(`Bearer ${accessToken ?? ''}`);
    expect((await signOut(client)).errors).toEqual([]);
    for (const gateway of mesh.access.gateways) {
      await until(async () => (await viewerOf(client.at(gateway))).viewer === null, { timeoutMs: 5_000 });
    }
    expect((await refresh(mesh.anonymous, refreshToken ?? '')).errors[0]?.code).toBe('UNAUTHENTICATED');
  });

  test('leaves the other sessions of the same person alone', async () => {
    const [one, other] = await Promise.all([signIn(mesh.anonymous, person), signIn(mesh.anonymous, person)]);
    await signOut(mesh.anonymous.as(`Bearer ${one.accessToken ?? ''}`));
    const { viewer } = await viewerOf(mesh.anonymous.as(`Bearer ${other.accessToken ?? ''}`));
    expect(viewer?.user?.email).toBe(person.email);
  });
});

describe('Credentials that are not good', () => {
  const ask = (client: ApiClient) => client.send('{ dataSources(first: 1) { nodes { id } } }');

  test.each([
    ['none', () => Promise.resolve(undefined)],
    ['a made-up token', () => Promise.resolve('Bearer made.up.token')],
    ['an expired token', () => expiredToken(mesh, person.client)],
    ['a token signed by another key', () => tokenOfAnotherKey(person.client)],
    ['a made-up API key', () => Promise.resolve('Key slk_madeup')],
    ['a scheme that nobody knows', () => Promise.resolve('Basic dXNlcjpwYXNz')],
  ])('%s: UNAUTHENTICATED, with the field and a request id', async (_, authorization) => {
    const { data, errors } = await ask(mesh.anonymous.as(await authorization()));
    expect((data as { dataSources?: unknown } | null | undefined)?.dataSources ?? null).toBeNull();
    expect(errors).toHaveLength(1);
    expect(errors[0]?.extensions).toMatchObject({ code: 'UNAUTHENTICATED', retryable: false });
    expect(errors[0]?.extensions?.requestId).toBeTypeOf('string');
  });

  test('disabled user: a person who has been disabled is out within 5 s', async () => {
    const leaver = await newPerson(mesh.admin, 'viewer');
    const { errors } = await updateUser(mesh.admin, {
      id: leaver.user.id,
      version: leaver.user.version,
      disabled: true,
    });
    expect(errors).toEqual([]);
    await until(async () => (await viewerOf(leaver.client)).viewer === null, { timeoutMs: 5_000 });
    expect((await signIn(mesh.anonymous, leaver)).errors[0]?.code).toBe('UNAUTHENTICATED');
  });
});
