import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MessageContext } from '#libs/bus';
import { authRequests, type ResponseOf } from '#libs/contracts';
import { TokenVerifier, type Principal } from '#libs/identity';
import { newId } from '#libs/kernel';
import { startPostgres, until, type PostgresServer } from '#libs/testing';
import { AuthHarness } from '../../test/auth-harness.js';

let server: PostgresServer;
let auth: AuthHarness;
let admin: MessageContext;
let analyst: MessageContext;
beforeAll(async () => {
  server = await startPostgres();
  auth = await AuthHarness.start(await server.createDatabase());
  admin = await auth.admin();
  analyst = await person('analyst');
});
afterAll(async () => {
  await auth.stop();
  await server.stop();
});

type Create = Parameters<typeof authRequests.createApiKey.request.encode>[0];

async function person(role: string): Promise<MessageContext> {
  const user = await auth.createUser(admin, { roleNames: [role] });
  return auth.as((await auth.signIn(user)).accessToken);
}

const create = (
  input: Partial<Create> = {},
  context = analyst,
): Promise<ResponseOf<typeof authRequests.createApiKey>> =>
  auth.ask(authRequests.createApiKey, { name: 'a key', ...input }, context);
const exchange = (secret: string) => auth.ask(authRequests.exchangeApiKey, { secret });
const principalOfKey = async (secret: string): Promise<Principal> =>
  auth.get(TokenVerifier).verify((await exchange(secret)).accessToken);
const exchangeCode = async (secret: string) => (await auth.refusal(exchange(secret))).code;
const contextOfKey = async (secret: string) => auth.as((await exchange(secret)).accessToken);

describe('an API key', () => {
  it('is slk_<prefix>_<secret>, shown once; the list has the prefix only', async () => {
    const { apiKey, secret } = await create();
    expect(secret).toMatch(/^slk_[0-9a-f]{12}_[A-Za-z0-9_-]{43}$/);
    expect(secret.startsWith(`${apiKey?.prefix}_`)).toBe(true);
    const { apiKeys } = await auth.ask(authRequests.listApiKeys, { page: { first: 100 } }, analyst);
    expect(JSON.stringify(apiKeys)).not.toContain(secret.slice(17));
    const [found] = await auth.database.query<{ count: string }[]>(
      `select count(*) from auth.api_key k where position($1 in k::text) > 0`,
      [secret.slice(17)],
    );
    expect(found?.count).toBe('0');
  });

  it('is exchanged for a token of 60 s that names the key and all that its maker may do', async () => {
    const { apiKey, secret } = await create();
    const principal = await principalOfKey(secret);
    expect(principal.apiKeyId).toBe(apiKey?.id);
    expect(principal.sessionId).toBeUndefined();
    expect(principal.expiresAt.getTime() - principal.issuedAt.getTime()).toBe(60_000);
    expect(principal.permissions.has('query.run')).toBe(true);
    expect(principal.permissions.has('user.manage')).toBe(false);
  });

  it('with permissions has these and no others, and never more than its maker has now', async () => {
    const user = await auth.createUser(admin, { roleNames: ['editor'] });
    const maker = await auth.as((await auth.signIn(user)).accessToken);
    const permissions = { values: ['execution.read', 'query.run'] };
    const { secret } = await create({ permissions }, maker);
    expect([...(await principalOfKey(secret)).permissions].sort()).toEqual(['execution.read', 'query.run']);
    await auth.ask(
      authRequests.updateUser,
      { id: user.id, version: 1, roleNames: { values: ['analyst'] }, cleared: [] },
      admin,
    );
    expect([...(await principalOfKey(secret)).permissions]).toEqual(['query.run']);
  });

  it('of some networks is no way for an administrator’s key to make a user, who could be anywhere', async () => {
    const { secret } = await create({ networks: { values: ['10.0.0.0/8'] } }, admin);
    const permissions = (await principalOfKey(secret)).permissions;
    expect([permissions.has('user.manage'), permissions.has('query.run')]).toEqual([false, true]);
    const user = {
      email: 'out@example.com',
      name: 'Out',
      password: 'x'.repeat(20),
      roleNames: ['admin'],
      groupNames: [],
    };
    const made = auth.ask(authRequests.createUser, user, await contextOfKey(secret));
    expect((await auth.refusal(made)).code).toBe('auth.forbidden');
  });

  it('whose permissions all lie outside what it reaches is refused, and is made of any one that does not', async () => {
    const dataSourceIds = { values: [newId('dataSource')] };
    const powerless = create({ permissions: { values: ['user.read', 'cache.invalidate'] }, dataSourceIds }, admin);
    expect(await auth.refusal(powerless)).toMatchObject({ code: 'input.invalid', path: ['permissions'] });
    const { secret } = await create({ permissions: { values: ['user.read', 'query.run'] }, dataSourceIds }, admin);
    expect([...(await principalOfKey(secret)).permissions]).toEqual(['query.run']);
  });

  it('API key prefix: is refused when one character of it differs, whichever', async () => {
    const { secret } = await create();
    for (let index = 0; index < secret.length; index += 7) {
      const changed = `${secret.slice(0, index)}${secret[index] === 'a' ? 'b' : 'a'}${secret.slice(index + 1)}`;
      expect(await exchangeCode(changed)).toBe('auth.unauthenticated');
    }
    for (const made of ['', 'slk_', `${secret}x`, secret.slice(0, -1), `${secret}\0`, 'x'.repeat(50_000)]) {
      expect(await exchangeCode(made)).toBe('auth.unauthenticated');
    }
  });

  it('API key expiry: ends at its hour, and so does a token made of it shortly before', async () => {
    const expiresAt = new Date(Date.now() + 20_000);
    const { apiKey, secret } = await create({ expiresAt });
    expect((await principalOfKey(secret)).expiresAt).toEqual(expiresAt);
    await auth.database.query(`update auth.api_key set expires_at = now() where id = $1`, [apiKey?.id]);
    expect(await exchangeCode(secret)).toBe('auth.unauthenticated');
  });

  it('notes its last use, at most once a minute', async () => {
    const { apiKey, secret } = await create();
    const lastUsed = async () =>
      (await auth.ask(authRequests.getApiKeys, { ids: [apiKey?.id ?? ''] }, analyst)).apiKeys[0]?.lastUsedAt;
    expect(await lastUsed()).toBeUndefined();
    await exchange(secret);
    const first = await lastUsed();
    expect(first).toBeInstanceOf(Date);
    await exchange(secret);
    expect(await lastUsed()).toEqual(first);
    await auth.database.query(`update auth.api_key set last_used_at = now() - interval '2 minutes' where id = $1`, [
      apiKey?.id,
    ]);
    await exchange(secret);
    expect((await lastUsed())?.getTime()).toBeGreaterThan((first?.getTime() ?? 0) - 1_000);
  });

  it.each<[string, Partial<Create>, [string, ...string[]]]>([
    [
      'an unknown permission',
      { permissions: { values: ['query.run', 'no.such'] } },
      ['input.invalid', 'permissions', '1'],
    ],
    ['a permission of every object', { permissions: { values: ['toString'] } }, ['input.invalid', 'permissions', '0']],
    [
      'a permission its maker lacks',
      { permissions: { values: ['user.manage'] } },
      ['auth.forbidden', 'permissions', '0'],
    ],
    ['an end in the past', { expiresAt: new Date(0) }, ['input.invalid', 'expiresAt']],
    ['an empty name', { name: ' ' }, ['input.invalid', 'name']],
  ])('is not made with %s', async (_, input, [code, ...path]) => {
    const error = await auth.refusal(create(input));
    expect([error.code, error.path]).toEqual([code, path]);
  });
});

describe('an API key made by an API key', () => {
  it('never outgrows it: neither in permissions nor in time', async () => {
    const expiresAt = new Date(Date.now() + 600_000);
    const { secret } = await create({ permissions: { values: ['api_key.manage', 'query.run'] }, expiresAt });
    const maker = await contextOfKey(secret);
    const later = new Date(expiresAt.getTime() + 1);
    const inside = { permissions: { values: ['query.run'] }, expiresAt };
    const pathOf = async (input: Partial<Create>) => (await auth.refusal(create(input, maker))).path[0];
    expect(await pathOf({ expiresAt })).toBe('permissions');
    expect(await pathOf({ ...inside, permissions: { values: ['data_source.read'] } })).toBe('permissions');
    expect(await pathOf({ permissions: inside.permissions })).toBe('expiresAt');
    expect(await pathOf({ ...inside, expiresAt: later })).toBe('expiresAt');
    await expect(create(inside, maker)).resolves.toBeDefined();
  });

  it('is revoked with it, through all generations, and no other is', async () => {
    const first = await create();
    const second = await create({}, await contextOfKey(first.secret));
    const third = await create({}, await contextOfKey(second.secret));
    const bystander = await create();
    await auth.ask(authRequests.revokeApiKey, { id: first.apiKey?.id ?? '' }, analyst);
    for (const { secret } of [first, second, third]) expect(await exchangeCode(secret)).toBe('auth.unauthenticated');
    await expect(exchange(bystander.secret)).resolves.toBeDefined();
  });
});

describe('revoking', () => {
  it('by a key that is confined ends itself and what it has made, and no wider key of its owner', async () => {
    const savedQueryIds = { values: [newId('savedQuery')] };
    const wide = await create();
    const narrow = await create({ savedQueryIds });
    const context = await contextOfKey(narrow.secret);
    const made = await create({ savedQueryIds }, context);
    const revoke = (key: typeof wide) => auth.ask(authRequests.revokeApiKey, { id: key.apiKey?.id ?? '' }, context);
    expect((await auth.refusal(revoke(wide))).code).toBe('auth.forbidden');
    await expect(exchange(wide.secret)).resolves.toBeDefined();
    await revoke(made);
    await revoke(narrow);
    for (const { secret } of [made, narrow]) expect(await exchangeCode(secret)).toBe('auth.unauthenticated');
  });

  it('refuses the key at once and its tokens within seconds, and takes it from the list', async () => {
    const { apiKey, secret } = await create();
    const { accessToken } = await exchange(secret);
    const id = apiKey?.id ?? '';
    expect(await auth.ask(authRequests.revokeApiKey, { id }, analyst)).toEqual({ id });
    expect(await exchangeCode(secret)).toBe('auth.unauthenticated');
    await until(
      async () => (await auth.refusal(auth.get(TokenVerifier).verify(accessToken))).code === 'auth.token_revoked',
      {
        timeoutMs: 5_000,
      },
    );
    expect((await auth.ask(authRequests.getApiKeys, { ids: [id] }, analyst)).apiKeys).toEqual([]);
  });

  it('of another’s key, of one revoked before and of none is not found, and changes nothing', async () => {
    const { apiKey, secret } = await create();
    const id = apiKey?.id ?? '';
    const revoke = (key: string, context: MessageContext) => auth.ask(authRequests.revokeApiKey, { id: key }, context);
    expect((await auth.refusal(revoke(id, await person('analyst')))).code).toBe('auth.api_key_not_found');
    expect((await auth.refusal(revoke(id, await person('editor')))).code).toBe('auth.api_key_not_found');
    expect((await auth.refusal(revoke('key_\0', analyst))).code).toBe('auth.api_key_not_found');
    await expect(exchange(secret)).resolves.toBeDefined();
    await revoke(id, analyst);
    expect((await auth.refusal(revoke(id, analyst))).code).toBe('auth.api_key_not_found');
  });
});

describe('the list of keys', () => {
  it('has the caller’s own, the newest first, in pages without gap or repeat', async () => {
    const owner = await person('viewer');
    const made: string[] = [];
    for (let index = 0; index < 5; index += 1)
      made.push((await create({ name: `key ${index}` }, owner)).apiKey?.id ?? '');
    const seen: string[] = [];
    for (let after: string | undefined; ;) {
      const page = await auth.ask(
        authRequests.listApiKeys,
        { page: { first: 2, ...(after === undefined ? {} : { after }) } },
        owner,
      );
      expect(page.totalCount).toBe(5);
      seen.push(...page.apiKeys.map(({ id }) => id));
      if (page.pageInfo?.hasNextPage !== true) break;
      after = page.cursors.at(-1);
    }
    expect(seen).toEqual(made.toSorted().toReversed());
    const { cursors } = await auth.ask(authRequests.listApiKeys, { page: { first: 1 } }, owner);
    const foreign = auth.ask(authRequests.listApiKeys, { page: { first: 1, after: cursors[0] ?? '' } }, admin);
    expect((await auth.refusal(foreign)).code).toBe('input.cursor_invalid');
  });

  it('is searched by names and prefixes literally, in pages of that search, and never in the keys of others', async () => {
    const owner = await person('viewer');
    const made = [];
    for (const name of ['Étage 100%_a', 'étage 100%_b', '100 of b']) made.push((await create({ name }, owner)).apiKey);
    await create({ name: '100%_c' });
    const find = async (search: string, page = { first: 10 }) =>
      auth.ask(authRequests.listApiKeys, { page, search }, owner);
    const namesOf = async (search: string) => (await find(search)).apiKeys.map(({ name }) => name);
    expect(await namesOf(' 100%_ ')).toEqual(['étage 100%_b', 'Étage 100%_a']);
    expect(await namesOf('TAGE 100%_A')).toEqual(['Étage 100%_a']);
    expect(await namesOf('Étage 100%_a')).toEqual(['Étage 100%_a']);
    expect(await namesOf('100__')).toEqual([]);
    expect(await namesOf(made[2]?.prefix ?? '')).toEqual(['100 of b']);
    const first = await find('100%', { first: 1 });
    expect(first).toMatchObject({ totalCount: 2, pageInfo: { hasNextPage: true } });
    const after = first.cursors[0] ?? '';
    expect((await find('100%', { first: 1, ...{ after } })).apiKeys.map(({ id }) => id)).toEqual([made[0]?.id]);
    expect((await auth.refusal(find('100', { first: 1, ...{ after } }))).code).toBe('input.cursor_invalid');
    expect(await auth.refusal(find('\0'))).toMatchObject({ code: 'input.invalid', path: ['search'] });
  });

  it('and every other use of keys needs api_key.manage', async () => {
    const { secret } = await create({ permissions: { values: ['query.run'] } });
    const context = await contextOfKey(secret);
    const refused = [
      auth.ask(authRequests.listApiKeys, { page: { first: 1 } }, context),
      auth.ask(authRequests.getApiKeys, { ids: [] }, context),
      create({}, context),
      auth.ask(authRequests.revokeApiKey, { id: 'x' }, context),
    ];
    for (const each of refused) expect((await auth.refusal(each)).code).toBe('auth.forbidden');
  });

  it('a key has no session to sign out of', async () => {
    const { secret } = await create();
    const error = await auth.refusal(auth.ask(authRequests.signOut, {}, await contextOfKey(secret)));
    expect(error.code).toBe('auth.forbidden');
  });
});
