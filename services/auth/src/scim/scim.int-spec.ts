import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authRequests, scimRequests, serviceAccountRequests, type ScimUser } from '#libs/contracts';
import type { MessageContext } from '#libs/bus';
import { startPostgres, until, type PostgresServer } from '#libs/testing';
import { administrator, AuthHarness } from '../../test/auth-harness.js';

let server: PostgresServer;
let auth: AuthHarness;
let provider: MessageContext;
beforeAll(async () => {
  server = await startPostgres();
  auth = await AuthHarness.start(await server.createDatabase());
  const admin = await auth.admin();
  const { secret } = await auth.ask(
    authRequests.createApiKey,
    { name: 'scim', permissions: { values: ['scim.manage'] } },
    admin,
  );
  provider = await auth.as((await auth.ask(authRequests.exchangeApiKey, { secret })).accessToken);
});
afterAll(async () => {
  await auth.stop();
  await server.stop();
});

const fieldsOf = (name: string, more: object = {}) => ({
  ...{ userName: `${name}@example.com`, email: `${name}@example.com`, displayName: name, active: true },
  ...more,
});

async function create(name: string, more: object = {}): Promise<ScimUser> {
  const { user } = await auth.ask(scimRequests.createScimUser, { fields: fieldsOf(name, more) }, provider);
  if (!user) throw new Error('no user');
  return user;
}

async function findAdministrator(): Promise<ScimUser> {
  const filter = `userName eq "${administrator.email}"`;
  const { users } = await auth.ask(scimRequests.listScimUsers, { filter, startIndex: 1, count: 1 }, provider);
  if (!users[0]) throw new Error('no administrator');
  return users[0];
}

const codeOf = async (work: Promise<unknown>): Promise<string> => (await auth.refusal(work)).code;

describe('a user by SCIM', () => {
  it('has the roles of the setting and no password', async () => {
    const user = await create('roles');
    const [row] = await auth.database.query<{ role_names: string[]; password_hash: string | null }[]>(
      'select role_names, password_hash from auth.user_account where id = $1',
      [user.id],
    );
    expect(row).toEqual({ role_names: ['viewer'], password_hash: null });
  });

  it('of one name or address is made once, however many ask at once', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 12 }, (_, at) => create('race', { userName: 'Race', email: `race${at % 3}@example.com` })),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const codes = outcomes.flatMap((each) =>
      each.status === 'rejected' ? [(each.reason as { code: string }).code] : [],
    );
    expect(new Set(codes)).toEqual(new Set(['auth.email_taken']));
  });

  it('who is deleted has no token, key or membership left, and the address is free for another', async () => {
    const user = await create('leaver');
    await auth.ask(scimRequests.createScimGroup, { displayName: 'Leavers', memberIds: [user.id] }, provider);
    await auth.ask(scimRequests.deleteScimUser, { id: user.id }, provider);
    const { revocations } = await auth.askAsService(authRequests.listRevocations, { afterRevision: 0 });
    expect(revocations.some(({ subjectId }) => subjectId === user.id)).toBe(true);
    expect((await create('leaver')).id).not.toBe(user.id);
  });

  it('who is deleted leaves the keys that his key has made for a service account', async () => {
    const leaver = await auth.createUser(await auth.admin(), { roleNames: ['admin'] });
    const session = await auth.as((await auth.signIn(leaver)).accessToken);
    const own = await auth.ask(authRequests.createApiKey, { name: 'own' }, session);
    const byKey = await auth.as((await auth.ask(authRequests.exchangeApiKey, { secret: own.secret })).accessToken);
    const { serviceAccount } = await auth.ask(
      serviceAccountRequests.createServiceAccount,
      { name: 'Nightly', roleNames: ['viewer'], groupNames: [] },
      byKey,
    );
    const serviceAccountId = serviceAccount?.id ?? '';
    const made = await auth.ask(authRequests.createApiKey, { name: 'nightly', serviceAccountId }, byKey);
    await auth.ask(scimRequests.deleteScimUser, { id: leaver.id }, provider);
    expect(await codeOf(auth.ask(authRequests.exchangeApiKey, { secret: own.secret }))).toBe('auth.unauthenticated');
    await expect(auth.ask(authRequests.exchangeApiKey, { secret: made.secret })).resolves.toBeDefined();
  });

  it.each([
    ['has another address', {}],
    ['is put out', { active: false }],
  ])('who %s has no link to a password and no older token left', async (_, change) => {
    const user = await auth.createUser(await auth.admin(), { roleNames: ['viewer'] });
    const { accessToken } = await auth.signIn(user);
    await auth.database.query(
      `insert into auth.password_token (user_id, hash, purpose, expires_at)
       values ($1, $2, 'RESET', now() + interval '1 hour')
       on conflict (user_id) do nothing`,
      [user.id, Buffer.from(user.id)],
    );
    const same = { ...fieldsOf('moved'), userName: user.email, email: user.email };
    const fields = 'active' in change ? { ...same, ...change } : fieldsOf('moved', { userName: user.email });
    await auth.ask(scimRequests.replaceScimUser, { id: user.id, fields }, provider);
    const left = await auth.database.query<unknown[]>('select 1 from auth.password_token where user_id = $1', [
      user.id,
    ]);
    expect(left).toEqual([]);
    await until(async () =>
      auth.principalOf(accessToken).then(
        () => false,
        () => true,
      ),
    );
  });

  it('is found by attributes alone, not by what every object has', async () => {
    for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
      const list = { filter: `${name} eq "x"`, startIndex: 1, count: 1 };
      expect(await codeOf(auth.ask(scimRequests.listScimUsers, list, provider)), name).toBe('input.invalid');
    }
  });

  it('who is the last administrator is neither put out nor deleted, and no administrator is given another address', async () => {
    const admin = await findAdministrator();
    const change = (more: object) => ({ id: admin.id, fields: { ...fieldsOf('x'), ...admin.fields, ...more } });
    expect(await codeOf(auth.ask(scimRequests.replaceScimUser, change({ active: false }), provider))).toBe(
      'auth.forbidden',
    );
    expect(await codeOf(auth.ask(scimRequests.deleteScimUser, { id: admin.id }, provider))).toBe('auth.forbidden');
    expect(await codeOf(auth.ask(scimRequests.replaceScimUser, change({ email: 'evil@example.com' }), provider))).toBe(
      'auth.forbidden',
    );
    await expect(auth.signIn(administrator)).resolves.toBeDefined();
  });

  it('who is an administrator among several can be put out', async () => {
    const other = await auth.createUser(await auth.admin(), { roleNames: ['admin'] });
    const { accessToken } = await auth.signIn(other);
    const fields = fieldsOf('other', { userName: other.email, email: other.email, active: false });
    await auth.ask(scimRequests.replaceScimUser, { id: other.id, fields }, provider);
    await until(async () =>
      auth.principalOf(accessToken).then(
        () => false,
        () => true,
      ),
    );
    expect(await codeOf(auth.signIn(other))).toBe('auth.credentials_wrong');
  });
});

describe('a group by SCIM', () => {
  it('of hundreds takes and loses them by sets, and each member’s older tokens are refused', async () => {
    const ids = await Promise.all(Array.from({ length: 300 }, async (_, at) => (await create(`many${at}`)).id));
    const { group } = await auth.ask(scimRequests.createScimGroup, { displayName: 'Many', memberIds: ids }, provider);
    expect(group?.memberCount).toBe(300);
    const gone = { clears: false, addedIds: [], removedIds: ids.slice(0, 299) };
    const { group: left } = await auth.ask(
      scimRequests.patchScimGroup,
      { id: group?.id ?? '', changes: [gone] },
      provider,
    );
    expect(left?.memberCount).toBe(1);
    const { revocations } = await auth.askAsService(authRequests.listRevocations, { afterRevision: 0 });
    expect(revocations.filter(({ subjectId }) => ids.includes(subjectId)).length).toBeGreaterThanOrEqual(599);
  });

  it('is filled in no order that two who fill crosswise wait for each other', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, async (_, at) => (await create(`cross${at}`)).id));
    const groups = await Promise.all(
      ['Cross A', 'Cross B'].map((displayName) =>
        auth.ask(scimRequests.createScimGroup, { displayName, memberIds: [] }, provider),
      ),
    );
    const change = (at: number, addedIds: string[]) =>
      auth.ask(
        scimRequests.patchScimGroup,
        { id: groups[at]?.group?.id ?? '', changes: [{ clears: true, addedIds, removedIds: [] }] },
        provider,
      );
    for (let round = 0; round < 5; round += 1) await Promise.all([change(0, ids), change(1, ids.toReversed())]);
    expect((await change(0, ids)).group?.memberCount).toBe(20);
  });

  it('that is deleted has the older tokens of service accounts refused too', async () => {
    const { group } = await auth.ask(scimRequests.createScimGroup, { displayName: 'Robots', memberIds: [] }, provider);
    const robot = { name: 'Robot', roleNames: ['viewer'], groupNames: ['Robots'] };
    const { serviceAccount } = await auth.ask(serviceAccountRequests.createServiceAccount, robot, await auth.admin());
    const list = { filter: 'displayName eq "Robots"', startIndex: 1, count: 1 };
    const { groups } = await auth.ask(scimRequests.listScimGroups, list, provider);
    expect(groups[0]?.memberCount, 'of people alone').toBe(0);
    await auth.ask(scimRequests.deleteScimGroup, { id: group?.id ?? '' }, provider);
    const { revocations } = await auth.askAsService(authRequests.listRevocations, { afterRevision: 0 });
    expect(revocations.map(({ subjectId }) => subjectId)).toContain(serviceAccount?.id);
  });

  it('takes nobody beyond what a token holds, and nobody of another workspace', async () => {
    const { id } = await create('joiner');
    for (let at = 0; at < 50; at += 1) {
      await auth.ask(scimRequests.createScimGroup, { displayName: `Of many ${at}`, memberIds: [id] }, provider);
    }
    const more = { displayName: 'One too many', memberIds: [id] };
    expect(await codeOf(auth.ask(scimRequests.createScimGroup, more, provider))).toBe('input.too_large');
    const nobody = { displayName: 'Nobody', memberIds: ['usr_00000000000000000000000000'] };
    expect(await codeOf(auth.ask(scimRequests.createScimGroup, nobody, provider))).toBe('auth.user_not_found');
  });
});
