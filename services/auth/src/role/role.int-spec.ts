import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MessageContext } from '#libs/bus';
import { authRequests, identityProviderRequests, roleRequests, type Role } from '#libs/contracts';
import { TokenVerifier } from '#libs/identity';
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

async function newRole(permissions: string[], context = admin, name: string = newId('role')): Promise<Role> {
  const { role } = await auth.ask(roleRequests.createRole, { name, permissions }, context);
  if (!role) throw new Error('no role came back');
  return role;
}

async function signedIn(roleNames: string[]) {
  const user = await auth.createUser(admin, { roleNames });
  const { accessToken } = await auth.signIn(user);
  return { user, accessToken, context: await auth.as(accessToken) };
}

const codeOf = async (work: Promise<unknown>): Promise<string> => (await auth.refusal(work)).code;

describe('a custom role', () => {
  it('allows what it names, together with the other roles of a user', async () => {
    const role = await newRole(['cache.invalidate', 'execution.read']);
    const { context } = await signedIn(['viewer', role.name]);
    const { permissions } = await auth.ask(authRequests.getViewer, {}, context);
    expect(permissions).toEqual([
      'saved_query.read',
      'saved_query.run',
      'api_key.manage',
      'execution.read',
      'cache.invalidate',
    ]);
  });

  it('is made with no permission that its maker lacks, nor of a name that is taken', async () => {
    const maker = await newRole(['role.manage', 'saved_query.run']);
    const { context } = await signedIn([maker.name]);
    const refused = auth.ask(roleRequests.createRole, { name: 'x', permissions: ['user.manage', 'nonsense'] }, context);
    expect((await auth.refusal(refused)).issues.map(({ code, path }) => [code, ...path])).toEqual([
      ['auth.forbidden', 'permissions', '0'],
      ['input.invalid', 'permissions', '1'],
    ]);
    expect((await auth.refusal(newRole(['nonsense']))).message).toMatch(/"nonsense".*Permissions are .*query\.run/);
    expect((await newRole(['saved_query.run'], context)).permissions).toEqual(['saved_query.run']);
    expect(await codeOf(newRole([], admin, maker.name))).toBe('entity.name_taken');
    expect(await codeOf(newRole([], admin, 'admin'))).toBe('input.invalid');
  });

  it('with more than one has is neither changed, deleted nor given by one', async () => {
    const maker = await newRole(['role.manage', 'user.manage', 'user.read']);
    const high = await newRole(['row_policy.manage']);
    const { context } = await signedIn([maker.name]);
    const change = { id: high.id, version: 1, permissions: [] };
    expect(await codeOf(auth.ask(roleRequests.updateRole, change, context))).toBe('auth.forbidden');
    expect(await codeOf(auth.ask(roleRequests.deleteRole, { id: high.id }, context))).toBe('auth.forbidden');
    const user = { email: `${newId('user')}@example.com`, name: 'Ann', groupNames: [] };
    const given = auth.ask(authRequests.createUser, { ...user, roleNames: [high.name] }, context);
    expect((await auth.refusal(given)).issues.map(({ code, path }) => [code, ...path])).toEqual([
      ['auth.forbidden', 'roleNames', '0'],
    ]);
  });

  it('Role change: counts for everyone who has it, whose tokens from before are refused', async () => {
    const role = await newRole(['cache.invalidate']);
    const { user, accessToken, context } = await signedIn([role.name]);
    const change = { id: role.id, version: 1, permissions: ['execution.read'] };
    await auth.ask(roleRequests.updateRole, change, admin);
    const verifier = auth.get(TokenVerifier);
    await until(
      async () =>
        (await verifier.verify(accessToken).catch((error: { code: string }) => error.code)) === 'auth.token_revoked',
      {
        timeoutMs: 5_000,
        what: 'the refusal',
      },
    );
    expect(await codeOf(auth.ask(authRequests.getViewer, {}, context))).toBe('auth.token_revoked');
    const again = await auth.as((await auth.signIn(user)).accessToken);
    expect((await auth.ask(authRequests.getViewer, {}, again)).permissions).toEqual(['execution.read']);
  });

  it('Role change: takes the links to passwords that were given out before', async () => {
    const [role, other] = [await newRole(['cache.invalidate']), await newRole(['cache.invalidate'])];
    const holders = [await signedIn([role.name]), await signedIn([other.name])];
    for (const { user } of holders) {
      await auth.database.query(
        `insert into auth.password_token (user_id, hash, purpose, expires_at)
         values ($1, $2, 'RESET', now() + interval '1 hour')`,
        [user.id, Buffer.from(user.id)],
      );
    }
    await auth.ask(roleRequests.updateRole, { id: role.id, version: 1, permissions: ['execution.read'] }, admin);
    const ids = holders.map(({ user }) => user.id);
    const left = await auth.database.query<{ id: string }[]>(
      'select user_id as id from auth.password_token where user_id = any($1)',
      [ids],
    );
    expect(left).toEqual([{ id: ids[1] }]);
  });

  it('is not deleted while somebody has it, and is unknown afterwards', async () => {
    const role = await newRole(['cache.invalidate']);
    const { user } = await signedIn([role.name]);
    expect(await codeOf(auth.ask(roleRequests.deleteRole, { id: role.id }, admin))).toBe('auth.in_use');
    const change = { id: user.id, version: 1, roleNames: { values: ['viewer'] }, cleared: [] };
    await auth.ask(authRequests.updateUser, change, admin);
    await auth.ask(roleRequests.deleteRole, { id: role.id }, admin);
    const given = { ...change, version: 2, roleNames: { values: [role.name] } };
    expect(await codeOf(auth.ask(authRequests.updateUser, given, admin))).toBe('input.invalid');
    expect((await auth.ask(roleRequests.getRoles, { ids: [role.id] }, admin)).roles).toEqual([]);
  });

  it('is not deleted while an identity provider gives it, nor named by one that is gone', async () => {
    const [mapped, first] = [await newRole([]), await newRole([])];
    const options = { issuer: 'https://login.example.com', clientId: 'sluice', clientSecret: 'a-secret' };
    const rulesOf = (given: string, byDefault: string) => ({
      roles: { default: [byDefault], map: [{ claim: 'groups', value: 'pilots', roles: [given] }] },
    });
    const made = { kind: 'OIDC' as const, enabled: true, emailDomains: [], options };
    const rules = rulesOf(mapped.name, first.name);
    const ask = { ...made, name: newId('message'), rules };
    const { identityProvider } = await auth.ask(identityProviderRequests.createIdentityProvider, ask, admin);
    for (const { id } of [mapped, first]) {
      expect(await codeOf(auth.ask(roleRequests.deleteRole, { id }, admin))).toBe('auth.in_use');
    }
    const id = identityProvider?.id ?? '';
    const change = { id, version: 1, cleared: [], rules: rulesOf(first.name, 'viewer') };
    await auth.ask(identityProviderRequests.updateIdentityProvider, change, admin);
    await auth.ask(roleRequests.deleteRole, { id: mapped.id }, admin);
    const again = auth.ask(identityProviderRequests.updateIdentityProvider, { ...change, version: 2, rules }, admin);
    expect(await codeOf(again)).toBe('input.invalid');
    await auth.ask(identityProviderRequests.deleteIdentityProvider, { id }, admin);
    await auth.ask(roleRequests.deleteRole, { id: first.id }, admin);
  });

  it('is found by its name as it is written, whatever cases the database knows', async () => {
    const permissions: string[] = [];
    const { role } = await auth.ask(roleRequests.createRole, { name: 'Ärzte 100%_', permissions }, admin);
    const find = async (search: string) =>
      (await auth.ask(roleRequests.listRoles, { page: { first: 10 }, search }, admin)).roles;
    expect(await find('Ärzte 100%')).toEqual([role]);
    expect(await find('Ärzte 100_')).toEqual([]);
  });

  it('is found by its name, and a change behind another’s is CONFLICT', async () => {
    const role = await newRole([]);
    const { roles } = await auth.ask(roleRequests.listRoles, { page: { first: 10 }, search: role.name }, admin);
    expect(roles).toEqual([role]);
    const change = { id: role.id, version: 1, permissions: [] };
    await auth.ask(roleRequests.updateRole, change, admin);
    expect(await codeOf(auth.ask(roleRequests.updateRole, change, admin))).toBe('entity.conflict');
  });
});
