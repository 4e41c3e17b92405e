import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MessageContext } from '#libs/bus';
import { authRequests, type User } from '#libs/contracts';
import { TokenVerifier } from '#libs/identity';
import { newId, type AppError } from '#libs/kernel';
import { startPostgres, until, type PostgresServer } from '#libs/testing';
import { administrator, AuthHarness } from '../../test/auth-harness.js';

let server: PostgresServer;
let auth: AuthHarness;
let admin: MessageContext;
beforeAll(async () => {
  server = await startPostgres();
  auth = await AuthHarness.start(await server.createDatabase());
  admin = await auth.admin();
});
afterAll(async () => {
  await auth.stop();
  await server.stop();
});

type Create = Parameters<typeof authRequests.createUser.request.encode>[0];
type Update = Parameters<typeof authRequests.updateUser.request.encode>[0];

async function create(input: Partial<Create> = {}, context = admin): Promise<User> {
  const full = { email: `${newId('user')}@example.com`, name: 'Ann', roleNames: ['viewer'], groupNames: [], ...input };
  const { user } = await auth.ask(authRequests.createUser, full, context);
  if (!user) throw new Error('no user came back');
  return user;
}

async function update(user: User, change: Partial<Update>, context = admin): Promise<User> {
  const { user: changed } = await auth.ask(
    authRequests.updateUser,
    { id: user.id, version: user.version, cleared: [], ...change },
    context,
  );
  if (!changed) throw new Error('no user came back');
  return changed;
}

const faultsOf = ({ issues, code, path }: AppError) =>
  issues.length > 0 ? issues.map((issue) => [issue.code, ...issue.path]) : [[code, ...path]];

async function contextOf(roleNames: string[]): Promise<MessageContext & { userId: string }> {
  const user = await auth.createUser(admin, { roleNames });
  return { ...(await auth.as((await auth.signIn(user)).accessToken)), userId: user.id };
}

describe('making a user', () => {
  it('keeps the address normalised and makes the groups that it names', async () => {
    const name = newId('user');
    const user = await create({
      email: ` ${name.toUpperCase()}@BÜCHER.example `,
      groupNames: ['west', 'east', 'west'],
      attributes: { region: 'west', levels: [1, { deep: null }] },
    });
    expect(user).toMatchObject({
      email: `${name}@xn--bcher-kva.example`,
      groupNames: ['east', 'west'],
      attributes: { region: 'west', levels: [1, { deep: null }] },
      version: 1,
      disabled: false,
    });
    expect(user.id).toMatch(/^usr_/);
    expect(user.createdAt).toBeInstanceOf(Date);
  });

  it.each<[string, Partial<Create>, string[][]]>([
    ['an unknown role', { roleNames: ['viewer', 'emperor'] }, [['input.invalid', 'roleNames', '1']]],
    ['a role that every object has', { roleNames: ['constructor'] }, [['input.invalid', 'roleNames', '0']]],
    ['no address', { email: 'nobody' }, [['input.invalid', 'email']]],
    ['an address with a line end', { email: 'a@example.com\nBcc: b@example.com' }, [['input.invalid', 'email']]],
    ['an endless address', { email: `${'a'.repeat(300)}@example.com` }, [['input.invalid', 'email']]],
    ['an empty name', { name: '  ' }, [['input.invalid', 'name']]],
    ['an endless name', { name: 'x'.repeat(201) }, [['input.invalid', 'name']]],
    ['a name with a zero', { name: 'a\0b' }, [['input.invalid', 'name']]],
    ['a short password', { password: 'short' }, [['input.invalid', 'password']]],
    ['an endless password', { password: 'x'.repeat(1_025) }, [['input.invalid', 'password']]],
    ['an empty group', { groupNames: ['west', ''] }, [['input.invalid', 'groupNames', '1']]],
    [
      'too many groups',
      { groupNames: Array.from({ length: 51 }, (_, i) => `g${i}`) },
      [['input.invalid', 'groupNames']],
    ],
    [
      'groups that do not fit into a token',
      { groupNames: Array.from({ length: 50 }, (_, i) => `${i}${'界'.repeat(60)}`) },
      [['input.invalid', 'groupNames']],
    ],
    ['huge attributes', { attributes: { a: 'x'.repeat(9_000) } }, [['input.invalid', 'attributes']]],
    [
      'an attribute that stands for the address',
      { attributes: { email: 'x' } },
      [['input.invalid', 'attributes', 'email']],
    ],
    ['attributes with a zero', { attributes: { a: ['x\0'] } }, [['input.invalid', 'attributes']]],
    ['deep attributes', { attributes: { a: { b: { c: { d: { e: { f: 1 } } } } } } }, [['input.invalid', 'attributes']]],
  ])('refuses %s at its place', async (_, input, faults) => {
    expect(faultsOf(await auth.refusal(create(input)))).toEqual(faults);
  });

  it('tells all faults at once', async () => {
    const error = await auth.refusal(create({ email: 'x', name: '', roleNames: ['emperor'] }));
    expect(faultsOf(error)).toHaveLength(3);
  });

  it('refuses an address that is taken in the workspace, in any case, also under 20 at once', async () => {
    const email = `${newId('user')}@example.com`;
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => create({ email: index % 2 ? email.toUpperCase() : email })),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(faultsOf(await auth.refusal(create({ email })))).toEqual([['auth.email_taken', 'email']]);
  });

  it('makes a group once, however many name it at the same time', async () => {
    const groupNames = ['b', 'a', 'c'].map((name) => `${name}-${newId('group')}`);
    const users = await Promise.all(
      Array.from({ length: 16 }, (_, index) =>
        create({ groupNames: index % 2 ? groupNames : groupNames.toReversed() }),
      ),
    );
    for (const user of users) expect(user.groupNames).toEqual(groupNames.toSorted());
  });

  it('is not what it takes to make a group: metadata has those made that a policy names first', async () => {
    const names = ['b', 'a', 'a'].map((name) => `${name}-${newId('group')}`);
    const { workspaceId } = admin;
    await auth.askAsService(authRequests.ensureGroups, { workspaceId, names });
    await auth.askAsService(authRequests.ensureGroups, { workspaceId, names });
    const user = await create({ groupNames: names });
    expect(user.groupNames).toEqual([...new Set(names)].toSorted());
    const asked = auth.ask(authRequests.ensureGroups, { workspaceId, names }, admin);
    expect((await auth.refusal(asked)).code).toBe('auth.forbidden');
  });

  it('needs user.manage', async () => {
    for (const role of ['viewer', 'analyst', 'editor']) {
      const error = await auth.refusal(create({}, await contextOf([role])));
      expect(error.code).toBe('auth.forbidden');
    }
    expect((await auth.refusal(create({}, { ...admin, actor: { case: undefined } }))).code).toBe(
      'auth.unauthenticated',
    );
  });

  it('never gives more than the maker has: a scoped key with user.manage makes no administrator', async () => {
    const { secret } = await auth.ask(
      authRequests.createApiKey,
      { name: 'users only', permissions: { values: ['user.manage', 'user.read'] } },
      admin,
    );
    const { accessToken } = await auth.ask(authRequests.exchangeApiKey, { secret });
    const scoped = await auth.as(accessToken);
    expect(faultsOf(await auth.refusal(create({ roleNames: ['admin'] }, scoped)))).toEqual([
      ['auth.forbidden', 'roleNames', '0'],
    ]);
    const victim = await create({ roleNames: ['admin'] });
    expect(faultsOf(await auth.refusal(update(victim, { disabled: true }, scoped)))).toEqual([
      ['auth.forbidden', 'id'],
    ]);
    await expect(create({ roleNames: [] }, scoped)).resolves.toBeDefined();
  });
});

describe('changing a user', () => {
  it('changes what is given, leaves what is absent, clears attributes, and counts versions', async () => {
    const user = await create({ groupNames: ['west'], attributes: { region: 'west' } });
    const renamed = await update(user, { name: 'Berta' });
    expect(renamed).toMatchObject({ name: 'Berta', groupNames: ['west'], attributes: { region: 'west' }, version: 2 });
    const cleared = await update(renamed, { cleared: ['attributes'], groupNames: { values: [] } });
    expect(cleared).toMatchObject({ name: 'Berta', groupNames: [], attributes: {}, version: 3 });
    expect(faultsOf(await auth.refusal(update(cleared, { cleared: ['name'] })))).toEqual([['input.invalid', 'name']]);
  });

  it('of another version is a conflict: of 10 writers at once one wins', async () => {
    const user = await create();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, index) => update(user, { name: `Writer ${index}` })),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(faultsOf(await auth.refusal(update(user, { name: 'late' })))).toEqual([['entity.conflict', 'version']]);
  });

  it('of another workspace, or of none, is not found, in the same words', async () => {
    const stranger = await create();
    const id = newId('workspace');
    await auth.database.query(
      `insert into auth.workspace (id, slug, name, master_key_id, wrapped_key) values ($1, $2, 'x', 'k1', '\\x00')`,
      [id, id.replace('_', '-')],
    );
    await auth.database.query(`update auth.user_account set workspace_id = $1 where id = $2`, [id, stranger.id]);
    const [foreign, absent, odd] = await Promise.all([
      auth.refusal(update(stranger, { name: 'mine' })),
      auth.refusal(update({ ...stranger, id: newId('user') }, { name: 'mine' })),
      auth.refusal(update({ ...stranger, id: 'usr_\0' }, { name: 'mine' })),
    ]);
    expect([foreign.code, foreign.publicMessage]).toEqual(['auth.user_not_found', absent.publicMessage]);
    expect(absent.code).toBe(foreign.code);
    expect(odd.code).toBe(foreign.code);
    const { users } = await auth.ask(authRequests.getUsers, { ids: [stranger.id, 'nonsense\0'] }, admin);
    expect(users).toEqual([]);
  });

  it('never leaves the workspace without an enabled administrator, also when two last ones leave at once', async () => {
    const fresh = await AuthHarness.start(await server.createDatabase());
    try {
      const context = await fresh.admin();
      const second = await fresh.createUser(context, { roleNames: ['admin'] });
      const first = (await fresh.get(TokenVerifier).verify(accessTokenOf(context))).userId;
      const leave = (id: string, change: Partial<Update>) =>
        fresh.ask(authRequests.updateUser, { id, version: 1, cleared: [], ...change }, context);
      const outcomes = await Promise.allSettled([
        leave(first, { disabled: true }),
        leave(second.id, { roleNames: { values: ['editor'] } }),
      ]);
      const refused = outcomes.find((outcome) => outcome.status === 'rejected');
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(refused?.reason).toMatchObject({ code: 'input.invalid' });
      const [{ count } = { count: '' }] = await fresh.database.query<{ count: string }[]>(
        `select count(*) from auth.user_account where not disabled and 'admin' = any (role_names)`,
      );
      expect(count).toBe('1');
    } finally {
      await fresh.stop();
    }
  });

  it('of roles, groups, attributes or the state of being enabled refuses older tokens within seconds, and nothing else does', async () => {
    const user = await auth.createUser(admin, { roleNames: ['admin'], attributes: { region: 'north', level: 1 } });
    const { accessToken } = await auth.signIn(user);
    const verify = () => auth.get(TokenVerifier).verify(accessToken);
    let known = await readUser(user.id);
    known = await update(known, {
      name: 'Other',
      attributes: { level: 1, region: 'north' },
      roleNames: { values: ['admin'] },
    });
    const before = await auth.askAsService(authRequests.listRevocations, { afterRevision: 0 });
    expect(before.revocations.map(({ subjectId }) => subjectId)).not.toContain(user.id);
    await verify();
    await update(known, { roleNames: { values: ['viewer'] } });
    await until(async () => (await auth.refusal(verify())).code === 'auth.token_revoked', { timeoutMs: 5_000 });
    const again = await auth.get(TokenVerifier).verify((await auth.signIn(user)).accessToken);
    expect(again.permissions.has('user.manage')).toBe(false);
    const { accessToken: second } = await auth.signIn(user);
    await update(await readUser(user.id), { attributes: { level: 1, region: 'south' } });
    const verifySecond = () => auth.get(TokenVerifier).verify(second);
    await until(async () => (await auth.refusal(verifySecond())).code === 'auth.token_revoked', { timeoutMs: 5_000 });
  });

  it('to disabled ends tokens, sessions and API keys of the user, for good', async () => {
    const user = await auth.createUser(admin, { roleNames: ['analyst'] });
    const { accessToken, refreshToken } = await auth.signIn(user);
    const { secret } = await auth.ask(authRequests.createApiKey, { name: 'k' }, await auth.as(accessToken));
    const disabled = await update(await readUser(user.id), { disabled: true });
    expect((await auth.refusal(auth.refresh(refreshToken))).code).toBe('auth.unauthenticated');
    expect((await auth.refusal(auth.signIn(user))).code).toBe('auth.credentials_wrong');
    expect((await auth.refusal(auth.ask(authRequests.exchangeApiKey, { secret }))).code).toBe('auth.unauthenticated');
    await until(
      async () => (await auth.refusal(auth.get(TokenVerifier).verify(accessToken))).code === 'auth.token_revoked',
    );
    await update(disabled, { disabled: false });
    expect((await auth.refusal(auth.refresh(refreshToken))).code).toBe('auth.unauthenticated');
  });

  it('leaves no token with old rights, however sign-in and change meet', async () => {
    const user = await auth.createUser(admin, { roleNames: ['editor'] });
    for (let round = 0; round < 12; round += 1) {
      const known = await readUser(user.id);
      const role = round % 2 ? 'editor' : 'viewer';
      const [signedIn] = await Promise.all([
        Promise.all(Array.from({ length: 3 }, () => auth.signIn(user))),
        update(known, { roleNames: { values: [role] } }),
      ]);
      const { revocations } = await auth.askAsService(authRequests.listRevocations, { afterRevision: 0 });
      const notBefore = Math.max(
        ...revocations.filter(({ subjectId }) => subjectId === user.id).map((each) => each.notBefore?.getTime() ?? 0),
      );
      for (const { accessToken } of signedIn) {
        const [, body = ''] = accessToken.split('.');
        const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as { iat: number; scope: string };
        const isRevoked = claims.iat * 1_000 < notBefore;
        const isOfNow = claims.scope.includes('execution.read') === (role === 'editor');
        expect(isRevoked || isOfNow).toBe(true);
      }
    }
  });
});

describe('reading users', () => {
  it('shows private fields to who may read users, and one’s own to oneself', async () => {
    const viewer = await contextOf(['viewer']);
    const other = await create({ groupNames: ['west'], attributes: { region: 'west' } });
    const { users } = await auth.ask(authRequests.getUsers, { ids: [other.id, viewer.userId] }, viewer);
    const byId = new Map(users.map((user) => [user.id, user]));
    expect(byId.get(other.id)).toMatchObject({
      name: 'Ann',
      privateReadable: false,
      email: '',
      roleNames: [],
      groupNames: [],
    });
    expect(byId.get(other.id)?.attributes).toBeUndefined();
    expect(byId.get(viewer.userId)).toMatchObject({ privateReadable: true, roleNames: ['viewer'] });
    const seen = await auth.ask(authRequests.getUsers, { ids: [other.id] }, admin);
    expect(seen.users[0]).toMatchObject({ privateReadable: true, email: other.email, groupNames: ['west'] });
  });

  it('tells the viewer who it is', async () => {
    const viewer = await auth.ask(authRequests.getViewer, {}, admin);
    expect(viewer).toMatchObject({
      workspace: { slug: 'first' },
      user: { email: administrator.email },
      attributes: {},
    });
    expect(viewer.id).toBe(viewer.user?.id);
    expect(viewer.permissions).toContain('user.manage');
  });

  it('lists alphabetically, in pages without gap or repeat, also of equal names', async () => {
    const mark = newId('user');
    const names = ['zoe', 'Ada', 'ada', 'Ben', 'ben', 'ben', 'Äda'].map((name) => `${name} ${mark}`);
    for (const name of names) await create({ name });
    const seen: string[] = [];
    for (let after: string | undefined; ;) {
      const page = await auth.ask(
        authRequests.listUsers,
        { page: { first: 2, ...(after === undefined ? {} : { after }) }, search: mark },
        admin,
      );
      expect(page.totalCount).toBe(names.length);
      seen.push(...page.users.map(({ name }) => name));
      if (page.pageInfo?.hasNextPage !== true) break;
      after = page.cursors.at(-1);
    }
    expect(seen.map((name) => name.toLowerCase())).toEqual(names.map((name) => name.toLowerCase()).toSorted());
    expect(seen.toSorted()).toEqual(names.toSorted());
  });

  it('searches names and addresses literally: % and _ are letters like others', async () => {
    const mark = newId('user').slice(4, 20);
    const user = await create({ name: `100%_${mark}`, email: `pct-${mark}@example.com` });
    const find = async (search: string) =>
      (await auth.ask(authRequests.listUsers, { page: { first: 10 }, search }, admin)).users.map(({ id }) => id);
    expect(await find(`100%_${mark}`.toUpperCase())).toEqual([user.id]);
    expect(await find(`pct-${mark}@EX`)).toEqual([user.id]);
    expect(await find(`100__${mark}`)).toEqual([]);
  });

  it('needs user.read for the list', async () => {
    const error = await auth.refusal(
      auth.ask(authRequests.listUsers, { page: { first: 1 } }, await contextOf(['editor'])),
    );
    expect(error.code).toBe('auth.forbidden');
  });

  it.each([0, 101])('refuses a page of %i', async (first) => {
    const error = await auth.refusal(auth.ask(authRequests.listUsers, { page: { first } }, admin));
    expect([error.code, error.path]).toEqual(['input.invalid', ['first']]);
  });
});

async function readUser(id: string): Promise<User> {
  const { users } = await auth.ask(authRequests.getUsers, { ids: [id] }, admin);
  const [user] = users;
  if (!user) throw new Error('the user is not there');
  return user;
}

function accessTokenOf({ actor }: MessageContext): string {
  if (actor.case !== 'accessToken') throw new Error('no access token');
  return actor.value;
}
