import { performance } from 'node:perf_hooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MessageContext } from '#libs/bus';
import {
  accountRequests,
  authRequests,
  identityProviderRequests,
  roleRequests,
  serviceAccountRequests,
  type ServiceAccount,
} from '#libs/contracts';
import { TokenVerifier, type Principal } from '#libs/identity';
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

type NewKey = Partial<Parameters<typeof authRequests.createApiKey.request.encode>[0]>;
type NewGuest = Partial<Parameters<typeof serviceAccountRequests.mintGuest.request.encode>[0]>;

const list = (...values: string[]) => ({ values });
const queryId = newId('savedQuery');

async function newRole(...permissions: string[]): Promise<string> {
  const { role } = await auth.ask(roleRequests.createRole, { name: newId('role'), permissions }, admin);
  return role?.name ?? '';
}

async function newAccount(roleNames: string[] = ['admin'], groupNames: string[] = []): Promise<ServiceAccount> {
  const { serviceAccount } = await auth.ask(
    serviceAccountRequests.createServiceAccount,
    { name: 'Robot', roleNames, groupNames },
    admin,
  );
  if (!serviceAccount) throw new Error('no service account came back');
  return serviceAccount;
}

const newKey = (input: NewKey, context = admin) =>
  auth.ask(authRequests.createApiKey, { name: 'k', ...input }, context);
const exchange = (secret: string) => auth.ask(authRequests.exchangeApiKey, { secret });
const principalOf = (accessToken: string): Promise<Principal> => auth.get(TokenVerifier).verify(accessToken);

it('gives no key of an account a permission that the account itself lacks, and says which', async () => {
  const account = await newAccount(['viewer']);
  const permissions = list('saved_query.run', 'data_source.manage', 'nobody.knows', 'row_policy.manage');
  const faults = await faultsOf(newKey({ serviceAccountId: account.id, permissions }));
  expect(faults.sort()).toEqual([1, 2, 3].map((at) => `input.invalid permissions ${at}`));
});

/** Somebody with a new key of a service account. */
async function robot(account: ServiceAccount, key: NewKey = {}): Promise<MessageContext> {
  const { secret } = await newKey({ serviceAccountId: account.id, ...key });
  return auth.as((await exchange(secret)).accessToken);
}

const mint = (context: MessageContext, input: NewGuest = {}) =>
  auth.ask(serviceAccountRequests.mintGuest, { savedQueryIds: [queryId], ...input }, context);

async function faultsOf(work: Promise<unknown>): Promise<string[]> {
  const { issues, code, path } = await auth.refusal(work);
  return (issues.length > 0 ? issues : [{ code, path }]).map((issue) => [issue.code, ...issue.path].join(' '));
}

async function untilRefused(accessToken: string): Promise<void> {
  const refused = () =>
    principalOf(accessToken).then(
      () => false,
      () => true,
    );
  await until(refused, { timeoutMs: 5_000, what: 'the refusal' });
}

describe('a service account', () => {
  it('asks by its keys, with its own roles, groups and name, and is no person', async () => {
    const account = await newAccount(['viewer'], ['robots']);
    const context = await robot(account);
    const viewer = await auth.ask(authRequests.getViewer, {}, context);
    expect(viewer).toMatchObject({ permissions: ['saved_query.read', 'saved_query.run', 'api_key.manage'] });
    expect(viewer.user).toBeUndefined();
    expect(await principalOf(tokenOf(context))).toMatchObject({ userId: account.id, groups: ['robots'] });
    const { users } = await auth.ask(authRequests.listUsers, { page: { first: 100 } }, admin);
    expect(users.map(({ id }) => id)).not.toContain(account.id);
    const { serviceAccounts } = await auth.ask(
      serviceAccountRequests.listServiceAccounts,
      { page: { first: 100 }, search: 'robot' },
      admin,
    );
    expect(serviceAccounts.map(({ id }) => id)).toContain(account.id);
  });

  it('that is disabled ends with its keys and guests within 5 s', async () => {
    const account = await newAccount();
    const context = await robot(account);
    const guest = await mint(context);
    const change = { id: account.id, version: 1, disabled: true, cleared: [] };
    await auth.ask(serviceAccountRequests.updateServiceAccount, change, admin);
    await untilRefused(tokenOf(context));
    await untilRefused(guest.accessToken);
  });

  it('is changed as one alone, not as a user, and makes no workspace without an administrator', async () => {
    const account = await newAccount();
    const change = { id: account.id, version: 1, name: 'Ann', cleared: [] };
    expect(await faultsOf(auth.ask(authRequests.updateUser, change, admin))).toEqual(['auth.user_not_found id']);
    const { user } = await auth.ask(authRequests.getViewer, {}, admin);
    const demote = { id: user?.id ?? '', version: user?.version ?? 0, roleNames: list('viewer'), cleared: [] };
    expect(await faultsOf(auth.ask(authRequests.updateUser, demote, admin))).toEqual(['input.invalid roleNames']);
  });

  it('has keys made by those only who manage service accounts and have all that it may do', async () => {
    const account = await newAccount(['admin']);
    const manager = await auth.createUser(admin, {
      roleNames: [await newRole('service_account.manage', 'api_key.manage')],
    });
    const context = await auth.as((await auth.signIn(manager)).accessToken);
    const analyst = await auth.createUser(admin, { roleNames: ['analyst'] });
    const other = await auth.as((await auth.signIn(analyst)).accessToken);
    const key = { serviceAccountId: account.id };
    expect(await faultsOf(newKey(key, context))).toEqual(['auth.forbidden serviceAccountId']);
    expect(await faultsOf(newKey(key, other))).toEqual(['auth.forbidden']);
    expect(await faultsOf(newKey({ serviceAccountId: newId('serviceAccount') }))).toEqual([
      'auth.service_account_not_found serviceAccountId',
    ]);
    const { apiKey } = await newKey(key);
    const ids = [apiKey?.id ?? ''];
    expect((await auth.ask(authRequests.getApiKeys, { ids }, other)).apiKeys).toEqual([]);
    expect(await faultsOf(auth.ask(authRequests.revokeApiKey, { id: ids[0] ?? '' }, other))).toEqual([
      'auth.api_key_not_found id',
    ]);
    await auth.ask(authRequests.revokeApiKey, { id: ids[0] ?? '' }, context);
    expect((await auth.ask(authRequests.getApiKeys, { ids }, context)).apiKeys).toEqual([]);
  });
});

function tokenOf({ actor }: MessageContext): string {
  return actor.case === 'accessToken' ? actor.value : '';
}

describe('API key scope', () => {
  it('confines its tokens to what it names, and to networks', async () => {
    const sourceId = newId('dataSource');
    const { apiKey, secret } = await newKey({
      ...{ dataSourceIds: list(sourceId), savedQueryIds: list(queryId), networks: list('10.0.0.0/8') },
      permissions: list('saved_query.run'),
    });
    expect(apiKey).toMatchObject({ networks: list('10.0.0.0/8'), savedQueryIds: list(queryId) });
    expect(await principalOf((await exchange(secret)).accessToken)).toMatchObject({
      reach: { dataSourceIds: [sourceId], savedQueryIds: [queryId] },
      networks: ['10.0.0.0/8'],
      permissions: new Set(['saved_query.run']),
    });
  });

  it('of one list confines to nothing of the other', async () => {
    const { secret } = await newKey({ savedQueryIds: list(queryId) });
    expect((await principalOf((await exchange(secret)).accessToken)).reach).toEqual({
      dataSourceIds: [],
      savedQueryIds: [queryId],
    });
  });

  it('that is none is refused at its place', async () => {
    const wrong = {
      dataSourceIds: list('src_1'),
      savedQueryIds: list(newId('user')),
      networks: list('10.0.0.0/33', 'x'),
    };
    expect(await faultsOf(newKey(wrong))).toEqual([
      ...['input.invalid dataSourceIds 0', 'input.invalid savedQueryIds 0'],
      ...['input.invalid networks 0', 'input.invalid networks 1'],
    ]);
    expect(await faultsOf(newKey({ networks: list() }))).toEqual(['input.invalid networks']);
  });

  it('is not outgrown by a key that it makes', async () => {
    const { secret } = await newKey({ savedQueryIds: list(queryId), networks: list('10.0.0.0/8') });
    const context = await auth.as((await exchange(secret)).accessToken);
    expect(await faultsOf(newKey({}, context))).toEqual(['auth.forbidden dataSourceIds']);
    const wider = { savedQueryIds: list(queryId, newId('savedQuery')), networks: list('0.0.0.0/0') };
    expect(await faultsOf(newKey(wider, context))).toEqual(['auth.forbidden dataSourceIds', 'auth.forbidden networks']);
    const { apiKey } = await newKey({ savedQueryIds: list(queryId) }, context);
    expect(apiKey?.networks).toEqual(list('10.0.0.0/8'));
  });
});

describe('API key timing', () => {
  it('tells nothing of how much of a secret is right', async () => {
    const { secret } = await newKey({});
    const wrongAt = (at: number) => secret.slice(0, at) + (secret[at] === 'A' ? 'B' : 'A') + secret.slice(at + 1);
    const [early, late]: [number[], number[]] = [[], []];
    for (let round = 0; round < 150; round += 1) {
      for (const [times, at] of [
        [early, 20],
        [late, secret.length - 2],
      ] as const) {
        const begun = performance.now();
        await auth.refusal(exchange(wrongAt(at)));
        times.push(performance.now() - begun);
      }
    }
    const median = (times: number[]) => times.toSorted((one, other) => one - other)[times.length >> 1] ?? 0;
    const [one, other] = [median(early), median(late)];
    expect(Math.abs(one - other)).toBeLessThan(Math.max(0.5, 0.25 * Math.max(one, other)));
  });
});

describe('a guest', () => {
  it('has a token for its queries alone, with what it was given and the groups of the account', async () => {
    const account = await newAccount(['admin'], ['shop']);
    const context = await robot(account);
    const { accessToken, guestId, expiresAt } = await mint(context, {
      ...{
        parameters: { customer: 'acme' },
        attributes: { region: 'west' },
        timeZone: 'Europe/Vienna',
        locale: 'de-AT',
      },
      expiresInSeconds: 60,
    });
    const guest = await principalOf(accessToken);
    expect(guest).toMatchObject({
      userId: guestId,
      permissions: new Set(['saved_query.run']),
      groups: ['shop'],
      reach: { dataSourceIds: [], savedQueryIds: [queryId] },
      guest: { mintedById: account.id, parameters: { customer: 'acme' }, attributes: { region: 'west' } },
    });
    expect((expiresAt?.getTime() ?? 0) - guest.issuedAt.getTime()).toBe(60_000);
    const viewer = await auth.ask(authRequests.getViewer, {}, await auth.as(accessToken));
    expect(viewer).toMatchObject({ id: guestId, permissions: ['saved_query.run'], attributes: { region: 'west' } });
    const { users } = await auth.ask(authRequests.getUsers, { ids: [newId('user')] }, await auth.as(accessToken));
    expect(users).toEqual([]);
  });

  it('is let in by service accounts alone, within what their key reaches, and by no guest', async () => {
    expect(await faultsOf(mint(admin))).toEqual(['auth.forbidden']);
    const account = await newAccount();
    const confined = await robot(account, { savedQueryIds: list(newId('savedQuery')) });
    expect(await faultsOf(mint(confined))).toEqual(['auth.forbidden savedQueryIds 0']);
    const { accessToken } = await mint(await robot(account));
    expect(await faultsOf(mint(await auth.as(accessToken)))).toEqual(['auth.forbidden']);
    const weak = await robot(await newAccount([await newRole('guest.mint')]));
    expect((await principalOf((await mint(weak)).accessToken)).permissions.size).toBe(0);
  });

  it('with what does not fit is refused at its place', async () => {
    const context = await robot(await newAccount());
    const wrong = {
      ...{ savedQueryIds: ['qry_1'], parameters: { a: 'x'.repeat(2_000) }, timeZone: 'Nowhere', locale: '--' },
      attributes: { groups: ['all'] },
      expiresInSeconds: 7_200,
    };
    expect(await faultsOf(mint(context, wrong))).toEqual([
      ...[
        'input.invalid savedQueryIds 0',
        'input.invalid parameters',
        'input.invalid attributes groups',
        'input.invalid timeZone',
      ],
      ...['input.invalid locale', 'input.invalid expiresInSeconds'],
    ]);
  });

  it('is not let in with a token that every service would refuse as too long', async () => {
    const groups = Array.from({ length: 50 }, (_, n) => `${n + 10}${'x'.repeat(58)}`);
    const context = await robot(await newAccount(['admin'], groups));
    const large = {
      savedQueryIds: Array.from({ length: 20 }, () => newId('savedQuery')),
      parameters: { a: 'x'.repeat(990) },
      attributes: { a: 'x'.repeat(990) },
    };
    expect(await faultsOf(mint(context, large))).toEqual(['input.too_large']);
    const { accessToken } = await mint(context, { parameters: large.parameters });
    await expect(principalOf(accessToken)).resolves.toBeDefined();
  });

  it('goes within 5 s with all of its account, with its key, and no guest of another account with them', async () => {
    const [account, other] = [await newAccount(), await newAccount()];
    const context = await robot(account);
    const { secret, apiKey } = await newKey({ serviceAccountId: account.id });
    const byOtherKey = await mint(await auth.as((await exchange(secret)).accessToken));
    const [guest, stays] = [await mint(context), await mint(await robot(other))];
    await auth.ask(authRequests.revokeApiKey, { id: apiKey?.id ?? '' }, admin);
    await untilRefused(byOtherKey.accessToken);
    await expect(principalOf(guest.accessToken)).resolves.toBeDefined();
    await auth.ask(serviceAccountRequests.revokeGuests, { serviceAccountId: account.id }, context);
    await untilRefused(guest.accessToken);
    await expect(principalOf((await mint(context)).accessToken)).resolves.toBeDefined();
    await expect(principalOf(stays.accessToken)).resolves.toBeDefined();
    const strange = { serviceAccountId: other.id };
    const weak = await robot(await newAccount([await newRole('guest.mint')]));
    expect(await faultsOf(auth.ask(serviceAccountRequests.revokeGuests, strange, weak))).toEqual([
      'auth.service_account_not_found serviceAccountId',
    ]);
  });
});

describe('a custom role of some permissions', () => {
  /** Somebody who may do these things alone. */
  async function clerk(...permissions: string[]): Promise<MessageContext> {
    const email = `${newId('user')}@example.com`;
    const password = 'a long password of the clerk';
    const roleNames = [await newRole(...permissions)];
    const user = { email, name: 'Clerk', password, roleNames, groupNames: [] };
    await auth.ask(authRequests.createUser, user, admin);
    return auth.as((await auth.signIn({ email, password })).accessToken);
  }

  it('gives no new secret to the key of a service account that may do more', async () => {
    const context = await clerk('service_account.manage', 'api_key.manage');
    const rotate = async (roleNames: string[]) => {
      const { apiKey } = await newKey({ serviceAccountId: (await newAccount(roleNames)).id });
      return auth.ask(accountRequests.rotateApiKey, { id: apiKey?.id ?? '', overlapSeconds: 0 }, context);
    };
    expect(await faultsOf(rotate(['admin']))).toEqual(['auth.forbidden id']);
    expect((await rotate([await newRole('api_key.manage')])).secret).toMatch(/^slk_/);
  });

  it('neither makes an identity provider nor turns one to itself: who names users is all of them', async () => {
    const context = await clerk('identity_provider.manage');
    const options = { issuer: 'https://login.example.com', clientId: 'sluice', clientSecret: 'a-secret-of-the-client' };
    const input = { name: newId('message'), kind: 'OIDC' as const, enabled: true, options, emailDomains: [] };
    const { createIdentityProvider, updateIdentityProvider } = identityProviderRequests;
    expect(await faultsOf(auth.ask(createIdentityProvider, input, context))).toEqual(['auth.forbidden']);
    const { identityProvider } = await auth.ask(createIdentityProvider, input, admin);
    const { id = '', version = 0 } = identityProvider ?? {};
    const turned = { id, version, cleared: [], options: { ...options, issuer: 'https://evil.example.com' } };
    expect(await faultsOf(auth.ask(updateIdentityProvider, turned, context))).toEqual(['auth.forbidden']);
  });

  it('loses the link to a password that was made before the user became stronger', async () => {
    const context = await clerk('user.manage');
    const user = { email: `${newId('user')}@example.com`, name: 'New', roleNames: [], groupNames: [] };
    const { user: made, invitationUrl = '' } = await auth.ask(authRequests.createUser, user, context);
    const { id = '', version = 0 } = made ?? {};
    await auth.ask(authRequests.updateUser, { id, version, roleNames: { values: ['admin'] }, cleared: [] }, admin);
    const token = new URL(invitationUrl).hash.replace('#invitation=', '');
    const accept = auth.ask(accountRequests.acceptInvitation, { token, password: 'a long password of the clerk' });
    expect(await faultsOf(accept)).toEqual(['auth.password_token_wrong token']);
  });
});
