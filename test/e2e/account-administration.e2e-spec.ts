import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApiClient } from '../support/api-client.js';
import { errorFields, type Failures } from '../support/api-types.js';
import { createUser, newApiKey, newPerson, refresh, signIn, type Person } from '../support/people.js';
import { sharedMesh } from '../support/running-mesh.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

const newPassword = 'another horse battery';

let person: Person;
let viewer: Person;
beforeAll(async () => {
  person = await newPerson(mesh.admin, 'analyst');
  viewer = await newPerson(mesh.admin, 'viewer');
});

async function mutate<T extends object>(
  client: ApiClient,
  field: string,
  args: string,
  fields = '',
): Promise<T & Failures> {
  const data = await client.request<Record<string, T & Failures>>(
    `mutation { ${field}(${args}) { ${fields} ${errorFields} } }`,
  );
  const payload = data[field];
  if (!payload) throw new Error(`no answer to ${field}`);
  return payload;
}

const tokenOf = (url: string | null): string => url?.split('=').at(-1) ?? '';

describe('An administrator', () => {
  test('helps one who has forgotten the password: the link is good once, and ends all sessions', async () => {
    const session = await signIn(mesh.anonymous, person);
    const { url } = await mutate<{ url: string }>(
      mesh.admin,
      'resetUserPassword',
      `userId: "${person.user.id}"`,
      'url',
    );
    expect(url).toMatch(/#reset=slp_/);
    const input = `input: {token: "${tokenOf(url)}", password: "${newPassword}"}`;
    expect((await mutate(mesh.anonymous, 'resetPassword', input)).errors).toEqual([]);
    const [again] = (await mutate(mesh.anonymous, 'resetPassword', input)).errors;
    expect(again).toMatchObject({ code: 'INVALID_INPUT', path: ['token'] });
    expect((await refresh(mesh.anonymous, session.refreshToken ?? '')).errors[0]?.code).toBe('UNAUTHENTICATED');
    expect((await signIn(mesh.anonymous, { ...person, password: newPassword })).errors).toEqual([]);
  });

  test('invites once more, which ends the invitation before', async () => {
    const email = `invited-${Date.now()}@example.com`;
    const { user } = await createUser(mesh.admin, { email, name: 'I', roleNames: ['viewer'] });
    const invite = () => mutate<{ url: string }>(mesh.admin, 'inviteUser', `userId: "${user?.id ?? ''}"`, 'url');
    const [first, second] = [await invite(), await invite()];
    const accept = (url: string) =>
      mutate(mesh.anonymous, 'acceptInvitation', `input: {token: "${tokenOf(url)}", password: "${newPassword}"}`);
    expect((await accept(first.url)).errors[0]?.code).toBe('INVALID_INPUT');
    expect((await accept(second.url)).errors).toEqual([]);
    expect((await signIn(mesh.anonymous, { email, password: newPassword })).errors).toEqual([]);
    expect((await invite()).errors[0]?.code).toBe('CONFLICT');
  });

  test('sees the sessions of another and ends them', async () => {
    const other = await newPerson(mesh.admin, 'viewer');
    const session = await signIn(mesh.anonymous, other);
    const { sessions } = await mesh.admin.request<{ sessions: { totalCount: number; nodes: { current: boolean }[] } }>(
      'query ($id: ID!) { sessions(first: 10, userId: $id) { totalCount nodes { id current } } }',
      { id: other.user.id },
    );
    expect(sessions).toMatchObject({ totalCount: 2, nodes: [{ current: false }, { current: false }] });
    const args = `userId: "${other.user.id}"`;
    expect(await mutate(mesh.admin, 'revokeUserSessions', args, 'revokedCount')).toMatchObject({ revokedCount: 2 });
    expect((await refresh(mesh.anonymous, session.refreshToken ?? '')).errors[0]?.code).toBe('UNAUTHENTICATED');
  });

  test('says how people sign in to the workspace', async () => {
    const args = 'input: {secondFactorRequired: false}';
    const { errors } = await mutate(mesh.admin, 'updateSignInRules', args, 'signInRules { secondFactorRequired }');
    expect(errors).toEqual([]);
    const { viewer: shown } = await mesh.admin.request<{ viewer: object }>(
      '{ viewer { workspace { signInRules { secondFactorRequired } } } }',
    );
    expect(shown).toEqual({ workspace: { signInRules: { secondFactorRequired: false } } });
  });

  test.each([
    ['resetUserPassword', () => `userId: "${person.user.id}"`],
    ['inviteUser', () => `userId: "${person.user.id}"`],
    ['resetUserSecondFactor', () => `userId: "${person.user.id}"`],
    ['revokeUserSessions', () => `userId: "${person.user.id}"`],
    ['updateSignInRules', () => 'input: {secondFactorRequired: true}'],
  ])('alone may do it: %s is FORBIDDEN to others', async (field, args) => {
    expect((await mutate(viewer.client, field, args())).errors[0]?.code).toBe('FORBIDDEN');
  });
});

describe('A second factor', () => {
  test('that is not there is neither removed nor confirmed', async () => {
    const { email, password } = viewer;
    const input = `input: {email: "${email}", password: "${password}", secondFactor: "123456"}`;
    expect((await mutate(mesh.anonymous, 'confirmSecondFactor', input)).errors[0]?.code).toBe('CONFLICT');
    expect((await mutate(mesh.anonymous, 'removeSecondFactor', input)).errors).toEqual([]);
    expect((await mutate(mesh.admin, 'resetUserSecondFactor', `userId: "${viewer.user.id}"`)).errors).toEqual([]);
  });
});

describe('A session of one’s own', () => {
  test('is ended by its id, and one of another is not found', async () => {
    const lost = await signIn(mesh.anonymous, viewer);
    const { sessions } = await mesh.anonymous
      .as(`Bearer ${lost.accessToken ?? ''}`)
      .request<{ sessions: { nodes: { id: string; current: boolean }[] } }>(
        '{ sessions(first: 10) { nodes { id current } } }',
      );
    const id = sessions.nodes.find(({ current }) => current)?.id ?? '';
    const other = await newPerson(mesh.admin, 'viewer');
    expect((await mutate(other.client, 'revokeSession', `id: "${id}"`)).errors[0]?.code).toBe('NOT_FOUND');
    expect(await mutate(viewer.client, 'revokeSession', `id: "${id}"`, 'deletedId')).toMatchObject({ deletedId: id });
    expect((await refresh(mesh.anonymous, lost.refreshToken ?? '')).errors[0]?.code).toBe('UNAUTHENTICATED');
  });
});

describe('An API key that is rotated', () => {
  test('works with both secrets on every gateway, until the overlap is over', async () => {
    const key = await newApiKey(viewer.client);
    const rotate = (overlapSeconds: number) =>
      mutate<{ secret: string }>(
        ...([
          viewer.client,
          'rotateApiKey',
          `input: {id: "${key.id}", overlapSeconds: ${overlapSeconds}}`,
          'secret',
        ] as const),
      );
    const codesOf = (secret: string) =>
      Promise.all(
        mesh.access.gateways.map(async (_, gateway) => {
          const client = mesh.anonymous.at(mesh.address(gateway)).as(`Key ${secret}`);
          return (await client.send('{ sessions(first: 1) { totalCount } }')).errors[0]?.extensions?.code;
        }),
      );
    const { secret } = await rotate(3_600);
    // Known to the gateway, and without the right to see sessions, as every key is.
    for (const one of [key.secret, secret]) expect(new Set(await codesOf(one))).toEqual(new Set(['FORBIDDEN']));
    const next = await rotate(0);
    expect(new Set(await codesOf(next.secret))).toEqual(new Set(['FORBIDDEN']));
    expect((await rotate(-1)).errors[0]).toMatchObject({ code: 'INVALID_INPUT', path: ['overlapSeconds'] });
  });
});
