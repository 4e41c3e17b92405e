import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MessageContext } from '#libs/bus';
import { accountRequests, authRequests, roleRequests, serviceAccountRequests } from '#libs/contracts';
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

interface Owner {
  readonly userId: string;
  readonly context: MessageContext;
  readonly keyId: string;
  readonly secret: string;
}

async function person(roleName: string): Promise<{ userId: string; context: MessageContext }> {
  const user = await auth.createUser(admin, { roleNames: [roleName] });
  return { userId: user.id, context: await auth.as((await auth.signIn(user)).accessToken) };
}

async function ownerOfKey(roleName = 'analyst'): Promise<Owner> {
  const owner = await person(roleName);
  const { apiKey, secret } = await auth.ask(authRequests.createApiKey, { name: 'a key' }, owner.context);
  return { ...owner, keyId: apiKey?.id ?? '', secret };
}

/** Who manages users, and may do nothing else but have keys. */
async function helpDesk(): Promise<MessageContext> {
  const permissions = ['user.manage', 'user.read', 'api_key.manage'];
  const { role } = await auth.ask(roleRequests.createRole, { name: newId('role'), permissions }, admin);
  return (await person(role?.name ?? '')).context;
}

const list = (userId: string, context: MessageContext) =>
  auth.ask(authRequests.listApiKeys, { page: { first: 10 }, userId }, context);
const get = async (id: string, context: MessageContext) =>
  (await auth.ask(authRequests.getApiKeys, { ids: [id] }, context)).apiKeys.map((key) => key.id);
const revoke = (id: string, context: MessageContext) => auth.ask(authRequests.revokeApiKey, { id }, context);
const exchange = (secret: string) => auth.ask(authRequests.exchangeApiKey, { secret });
const refused = async (work: Promise<unknown>) => (await auth.refusal(work)).code;

describe('an API key of another person', () => {
  it('is seen by an administrator, in the list and by its id, without its secret', async () => {
    const { userId, keyId, secret } = await ownerOfKey();
    const answer = await list(userId, admin);
    expect([answer.apiKeys.map(({ id }) => id), answer.totalCount]).toEqual([[keyId], 1]);
    expect(JSON.stringify(answer.apiKeys)).not.toContain(secret.slice(17));
    expect(await get(keyId, admin)).toEqual([keyId]);
  });

  it('that an administrator revokes is refused at once and its tokens within seconds', async () => {
    const { userId, keyId, secret } = await ownerOfKey();
    const { accessToken } = await exchange(secret);
    expect(await revoke(keyId, admin)).toEqual({ id: keyId });
    expect(await refused(exchange(secret))).toBe('auth.unauthenticated');
    await until(async () => (await refused(auth.get(TokenVerifier).verify(accessToken))) === 'auth.token_revoked', {
      timeoutMs: 5_000,
    });
    expect((await list(userId, admin)).totalCount).toBe(0);
    expect(await refused(revoke(keyId, admin))).toBe('auth.api_key_not_found');
  });

  it('is neither seen nor revoked by one who does not manage users', async () => {
    const { userId, keyId, secret } = await ownerOfKey();
    for (const role of ['viewer', 'analyst', 'editor']) {
      const { context } = await person(role);
      expect(await refused(list(userId, context))).toBe('auth.forbidden');
      expect(await get(keyId, context)).toEqual([]);
      expect(await refused(revoke(keyId, context))).toBe('auth.api_key_not_found');
    }
    await expect(exchange(secret)).resolves.toBeDefined();
  });

  it('who may do more than the one who manages users is not revoked by that one', async () => {
    const { keyId, secret } = await ownerOfKey('admin');
    const desk = await helpDesk();
    expect(await auth.refusal(revoke(keyId, desk))).toMatchObject({ code: 'auth.forbidden', path: ['id'] });
    await expect(exchange(secret)).resolves.toBeDefined();
  });

  it('with which a key of an account that may do more was made is not revoked by one who manages users', async () => {
    const ann = await ownerOfKey('admin');
    const byKey = await auth.as((await exchange(ann.secret)).accessToken);
    const robot = { name: newId('user'), roleNames: ['admin'], groupNames: [] };
    const { serviceAccount } = await auth.ask(serviceAccountRequests.createServiceAccount, robot, byKey);
    const input = { name: 'of the robot', serviceAccountId: serviceAccount?.id };
    const made = await auth.ask(authRequests.createApiKey, input, byKey);
    const { users } = await auth.ask(authRequests.getUsers, { ids: [ann.userId] }, admin);
    const change = { id: ann.userId, version: users[0]?.version ?? 0, roleNames: { values: ['viewer'] }, cleared: [] };
    await auth.ask(authRequests.updateUser, change, admin);
    expect(await refused(revoke(ann.keyId, await helpDesk()))).toBe('auth.forbidden');
    await expect(exchange(made.secret)).resolves.toBeDefined();
    expect(await revoke(ann.keyId, admin)).toEqual({ id: ann.keyId });
    expect(await refused(exchange(made.secret))).toBe('auth.unauthenticated');
  });

  it('of another workspace is neither seen nor revoked by an administrator', async () => {
    const { userId, keyId } = await ownerOfKey();
    const id = newId('workspace');
    await auth.database.query(
      `insert into auth.workspace (id, slug, name, master_key_id, wrapped_key) values ($1, $2, 'x', 'k1', '\\x00')`,
      [id, id.replace('_', '-')],
    );
    // At once, since each of them refers to the user within the workspace.
    await auth.database.query(
      `with sessions as (update auth.session set workspace_id = $1 where user_id = $2),
         keys as (update auth.api_key set workspace_id = $1 where user_id = $2)
       update auth.user_account set workspace_id = $1 where id = $2`,
      [id, userId],
    );
    expect((await list(userId, admin)).totalCount).toBe(0);
    expect(await get(keyId, admin)).toEqual([]);
    expect(await refused(revoke(keyId, admin))).toBe('auth.api_key_not_found');
    const kept = await auth.database.query(`select 1 from auth.api_key where id = $1 and revoked_at is null`, [keyId]);
    expect(kept).toHaveLength(1);
  });

  it('is listed by its owner alone, who is either a person or a service account', async () => {
    const { userId } = await ownerOfKey();
    const both = { userId, serviceAccountId: newId('serviceAccount'), page: { first: 10 } };
    const refusal = await auth.refusal(auth.ask(authRequests.listApiKeys, both, admin));
    expect([refusal.code, refusal.path]).toEqual(['input.invalid', ['userId']]);
  });

  it('is given no new secret by an administrator', async () => {
    const { keyId, secret } = await ownerOfKey();
    const rotated = auth.ask(accountRequests.rotateApiKey, { id: keyId, overlapSeconds: 0 }, admin);
    expect(await refused(rotated)).toBe('auth.api_key_not_found');
    await expect(exchange(secret)).resolves.toBeDefined();
  });
});

it('one’s own API keys are listed by one’s own id, whatever one may do, and a key of few permissions revokes itself', async () => {
  const { userId, context, keyId } = await ownerOfKey('viewer');
  expect((await list(userId, context)).apiKeys.map(({ id }) => id)).toEqual([keyId]);
  const permissions = { values: ['user.manage', 'api_key.manage'] };
  const { apiKey, secret } = await auth.ask(authRequests.createApiKey, { name: 'few', permissions }, admin);
  const byKey = await auth.as((await exchange(secret)).accessToken);
  expect(await revoke(apiKey?.id ?? '', byKey)).toEqual({ id: apiKey?.id });
});
