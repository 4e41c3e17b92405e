import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MessageContext } from '#libs/bus';
import {
  auditRecorded,
  authRequests,
  envelopeCodec,
  groupRequests,
  identityProviderRequests,
  roleRequests,
  serviceAccountRequests,
  type AuditEntry,
  type Group,
} from '#libs/contracts';
import { newId } from '#libs/kernel';
import { startPostgres, until, type PostgresServer } from '#libs/testing';
import { AuthHarness } from '../../test/auth-harness.js';

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

async function newGroup(name: string = newId('group')): Promise<Group> {
  const { group } = await auth.ask(groupRequests.createGroup, { name }, admin);
  if (!group) throw new Error('no group came back');
  return group;
}

interface Members {
  readonly addedUserIds?: string[];
  readonly removedUserIds?: string[];
}

const changeMembers = (id: string, change: Members, context = admin) =>
  auth.ask(groupRequests.changeGroupMembers, { id, addedUserIds: [], removedUserIds: [], ...change }, context);

const membersOf = (groupId: string, first = 100, after?: string) =>
  auth.ask(groupRequests.listGroupMembers, { groupId, page: { first, after } }, admin);

async function newPerson(roleNames = ['viewer']) {
  const user = await auth.createUser(admin, { roleNames });
  return { ...user, accessToken: (await auth.signIn(user)).accessToken };
}

/** One who may manage users, and little else. */
async function newManager(): Promise<MessageContext> {
  const permissions = ['user.read', 'user.manage'];
  const { role } = await auth.ask(roleRequests.createRole, { name: newId('role'), permissions }, admin);
  return auth.as((await newPerson([role?.name ?? ''])).accessToken);
}

async function faultOf(work: Promise<unknown>): Promise<string> {
  const { code, path } = await auth.refusal(work);
  return [code, ...path].join(' ');
}

async function entriesOf(targetId: string): Promise<Pick<AuditEntry, 'action' | 'before' | 'after'>[]> {
  const rows = await auth.database.query<{ envelope: Buffer }[]>('select envelope from auth.outbox order by sequence');
  return rows
    .map(({ envelope }) => envelopeCodec.decode(envelope))
    .filter(({ type }) => type === auditRecorded.auth.type)
    .flatMap(({ payload }) => auditRecorded.auth.codec.decode(payload).entries)
    .filter(({ target }) => target?.id === targetId)
    .map(({ action, before, after }) => ({ action, before, after }));
}

async function untilRefused(accessToken: string): Promise<void> {
  const isRefused = () =>
    auth.principalOf(accessToken).then(
      () => false,
      (error: { code: string }) => error.code === 'auth.token_revoked',
    );
  await until(isRefused, { timeoutMs: 5_000, what: 'the refusal' });
}

describe('a group', () => {
  it('is found by a part of its name, in pages', async () => {
    const stem = newId('group');
    for (const name of ['b', 'a', 'c']) await newGroup(`${stem} ${name}`);
    const list = (after?: string) =>
      auth.ask(groupRequests.listGroups, { page: { first: 2, after }, search: stem.toUpperCase() }, admin);
    const first = await list();
    expect(first.groups.map(({ name }) => name)).toEqual([`${stem} a`, `${stem} b`]);
    expect(first).toMatchObject({ totalCount: 3, pageInfo: { hasNextPage: true } });
    const next = await list(first.cursors[1]);
    expect(next.groups.map(({ name }) => name)).toEqual([`${stem} c`]);
  });

  it('is found by its name as it is written, whatever cases the database knows', async () => {
    const { name } = await newGroup(`Évry 100%_${newId('group')}`);
    const find = async (search: string) =>
      (await auth.ask(groupRequests.listGroups, { page: { first: 2 }, search }, admin)).groups.map(
        (group) => group.name,
      );
    expect(await find(name)).toEqual([name]);
    expect(await find(name.replace('%', '_'))).toEqual([]);
  });

  it('has a name of its own, and the one in the way is told', async () => {
    const { id, name } = await newGroup();
    const { code, details } = await auth.refusal(newGroup(name));
    expect([code, details]).toEqual(['entity.name_taken', { conflictId: id }]);
    expect(await faultOf(newGroup(' '))).toBe('input.invalid name');
  });

  it('has people, in pages by name; service accounts are not counted', async () => {
    const group = await newGroup();
    const people = [await newPerson(), await newPerson(), await newPerson()].map(({ id }) => id);
    const robot = { name: 'Robot', roleNames: ['viewer'], groupNames: [group.name] };
    await auth.ask(serviceAccountRequests.createServiceAccount, robot, admin);
    const changed = await changeMembers(group.id, { addedUserIds: people });
    expect(changed.group?.memberCount).toBe(3);
    const first = await membersOf(group.id, 2);
    const second = await membersOf(group.id, 2, first.cursors[1]);
    expect([...first.users, ...second.users].map(({ id }) => id)).toEqual(people.toSorted());
    expect([first.totalCount, second.pageInfo?.hasNextPage]).toEqual([3, false]);
    expect(first.users[0]?.groupNames).toEqual([group.name]);
  });

  it('is neither read nor changed without the permission', async () => {
    const [{ id }, viewer] = [await newGroup(), await newPerson()];
    const context = await auth.as(viewer.accessToken);
    const page = { first: 1 };
    const asked = [
      auth.ask(groupRequests.getGroups, { ids: [id] }, context),
      auth.ask(groupRequests.listGroups, { page }, context),
      auth.ask(groupRequests.listGroupMembers, { groupId: id, page }, context),
      auth.ask(groupRequests.createGroup, { name: 'x' }, context),
      auth.ask(groupRequests.deleteGroup, { id }, context),
      changeMembers(id, { addedUserIds: [viewer.id] }, context),
    ];
    for (const work of asked) expect(await faultOf(work)).toBe('auth.forbidden');
  });
});

describe('the members of a group', () => {
  it('Role change: who comes or goes has the tokens from before refused; who stays has not', async () => {
    const group = await newGroup();
    const [comes, stays] = [await newPerson(), await newPerson()];
    await changeMembers(group.id, { addedUserIds: [stays.id] });
    await untilRefused(stays.accessToken);
    const { accessToken } = await auth.signIn(stays);
    await changeMembers(group.id, { addedUserIds: [comes.id, stays.id] });
    await untilRefused(comes.accessToken);
    expect((await auth.principalOf(accessToken)).groups).toEqual([group.name]);
    await changeMembers(group.id, { removedUserIds: [comes.id, stays.id] });
    expect((await membersOf(group.id)).totalCount).toBe(0);
  });

  it('are all there or none is added: an unknown id, or no id of a user', async () => {
    const [group, known] = [await newGroup(), await newPerson()];
    const added = (...ids: string[]) => faultOf(changeMembers(group.id, { addedUserIds: [known.id, ...ids] }));
    expect(await added(newId('user'))).toBe('auth.user_not_found userIds');
    expect(await added('\0')).toBe('auth.user_not_found userIds 1');
    expect(await added(newId('serviceAccount'))).toBe('auth.user_not_found userIds 1');
    expect((await membersOf(group.id)).totalCount).toBe(0);
    expect(await faultOf(changeMembers(newId('group'), { addedUserIds: [known.id] }))).toBe('auth.group_not_found id');
  });

  it('who may do more than the caller are neither put in nor taken out by it', async () => {
    const [group, manager, boss] = [await newGroup(), await newManager(), await newPerson(['admin'])];
    const fault = 'auth.forbidden userIds';
    expect(await faultOf(changeMembers(group.id, { addedUserIds: [boss.id] }, manager))).toBe(fault);
    await changeMembers(group.id, { addedUserIds: [boss.id] });
    expect(await faultOf(changeMembers(group.id, { removedUserIds: [boss.id] }, manager))).toBe(fault);
    expect(await faultOf(auth.ask(groupRequests.deleteGroup, { id: group.id }, manager))).toBe('auth.forbidden id');
    expect((await membersOf(group.id)).totalCount).toBe(1);
  });

  it('are in no more groups than a token can name', async () => {
    const groupNames = Array.from({ length: 50 }, () => newId('group'));
    const [user, group] = [await auth.createUser(admin, { groupNames }), await newGroup()];
    expect(await faultOf(changeMembers(group.id, { addedUserIds: [user.id] }))).toBe('input.too_large userIds');
    expect((await membersOf(group.id)).totalCount).toBe(0);
  });

  it('have each change in the audit log', async () => {
    const [{ id }, person] = [await newGroup(), await newPerson()];
    await changeMembers(id, { addedUserIds: [person.id] });
    await changeMembers(id, { addedUserIds: [person.id] });
    await changeMembers(id, { removedUserIds: [person.id] });
    await auth.ask(groupRequests.deleteGroup, { id }, admin);
    expect(await entriesOf(id)).toMatchObject([
      { action: 'group.created' },
      { action: 'group.updated', after: { addedMembers: [person.id], addedCount: 1 } },
      { action: 'group.updated', after: { removedMembers: [person.id], removedCount: 1 } },
      { action: 'group.deleted' },
    ]);
  });
});

describe('a group that is deleted', () => {
  it('leaves nobody with it: people and service accounts take new tokens', async () => {
    const [group, person] = [await newGroup(), await newPerson()];
    const robot = { name: 'Robot', roleNames: ['viewer'], groupNames: [group.name] };
    const { serviceAccount } = await auth.ask(serviceAccountRequests.createServiceAccount, robot, admin);
    const serviceAccountId = serviceAccount?.id ?? '';
    const { secret } = await auth.ask(authRequests.createApiKey, { name: 'A key', serviceAccountId }, admin);
    const { accessToken } = await auth.ask(authRequests.exchangeApiKey, { secret });
    await changeMembers(group.id, { addedUserIds: [person.id] });
    await auth.ask(groupRequests.deleteGroup, { id: group.id }, admin);
    await untilRefused(accessToken);
    expect((await auth.ask(groupRequests.getGroups, { ids: [group.id] }, admin)).groups).toEqual([]);
    const [user] = (await auth.ask(authRequests.getUsers, { ids: [person.id] }, admin)).users;
    expect(user?.groupNames).toEqual([]);
  });

  it('is named by no rule of an identity provider', async () => {
    const group = await newGroup('it\'s "quoted"');
    const provider = {
      ...{ name: newId('identityProvider'), kind: 'OIDC' as const, enabled: true, emailDomains: [] },
      options: { issuer: 'https://login.example.com', clientId: 'sluice', clientSecret: 'a-secret-of-the-client' },
      rules: { groups: { claim: 'groups', map: [{ value: 'a', groups: ['other', group.name] }] } },
    };
    const made = await auth.ask(identityProviderRequests.createIdentityProvider, provider, admin);
    const remove = () => auth.ask(groupRequests.deleteGroup, { id: group.id }, admin);
    expect(await faultOf(remove())).toBe('auth.in_use id');
    await auth.ask(identityProviderRequests.deleteIdentityProvider, { id: made.identityProvider?.id ?? '' }, admin);
    expect(await remove()).toEqual({ id: group.id });
  });
});
