import type { EntityManager } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { authRequests, federationRequests } from '#libs/contracts';
import { OidcIssuer, startPostgres, type IssuerAccount, type PostgresServer } from '#libs/testing';
import { AuthHarness } from '../../test/auth-harness.js';
import { createProvider } from '../../test/sso.js';
import { gatewayOrigin, SsoBrowser } from '../../test/sso-browser.js';
import { ExternalIdentityRepository } from '../federation/external-identity.repository.js';
import { IdentityProviderRepository } from '../identity-provider/identity-provider.repository.js';
import { SignInFailures } from '../session/sign-in-failures.service.js';

const client = { client_id: 'sluice', client_secret: 'a-secret-of-the-client-of-tests' };

let server: PostgresServer;
let auth: AuthHarness;
let issuer: OidcIssuer;
let providerId: string;
let account: IssuerAccount;
let serial = 0;

beforeAll(async () => {
  server = await startPostgres();
  auth = await AuthHarness.start(await server.createDatabase(), {
    SLUICE_AUTH_PROVIDER_ALLOWED_NETWORKS: '127.0.0.0/8',
  });
  issuer = await OidcIssuer.start({
    accounts: [],
    clients: [{ ...client, redirect_uris: [`${gatewayOrigin}/any`] }],
    redirectPath: /^\/v1\/sso\/[^/]+\/callback$/,
  });
  providerId = await createProvider(auth, {
    ...{ name: 'Company', kind: 'OIDC', emailDomains: ['example.com'] },
    options: {
      ...{ issuer: issuer.issuer, clientId: client.client_id, clientSecret: client.client_secret },
      scopes: ['openid', 'email', 'profile', 'groups'],
    },
    rules: { groups: { claim: 'groups', passThrough: true }, roles: { default: ['viewer'] } },
  });
});

afterAll(async () => {
  await issuer.stop();
  await auth.stop();
  await server.stop();
});

beforeEach(async () => {
  serial += 1;
  const sub = `sub-${serial}`;
  account = { sub, email: `${sub}@example.com`, email_verified: true, name: sub, groups: ['eng'] };
  issuer.setAccount(account);
  await new SsoBrowser(auth, providerId).signIn(sub);
  issuer.userinfoAsked = 0;
});

async function sessions(): Promise<number> {
  const [row] = await auth.database.query<{ count: string }[]>(
    `select count(*) from auth.federated_session where subject = $1`,
    [account.sub],
  );
  return Number(row?.count);
}

it('the userinfo endpoint is asked only for what the signed token lacks', async () => {
  await new SsoBrowser(auth, providerId).signIn(account.sub);
  expect(issuer.userinfoAsked).toBe(0);
  issuer.setAccount({ ...account, groups: undefined });
  await new SsoBrowser(auth, providerId).signIn(account.sub);
  expect(issuer.userinfoAsked).toBe(1);
});

/** Somebody who has signed in at the provider, on the way back. */
async function onTheWay(): Promise<() => Promise<SsoBrowser>> {
  const browser = new SsoBrowser(auth, providerId);
  const callback = await browser.signInAt(await browser.begin(), account.sub);
  return async () => {
    await browser.finish(callback);
    return browser;
  };
}

/** Comes back, and waits for what the transaction of `work` has changed. */
async function finishDuring(work: (transaction: EntityManager) => Promise<unknown>): Promise<SsoBrowser> {
  const finish = await onTheWay();
  let finished: Promise<SsoBrowser> | undefined;
  await auth.database.transaction(async (transaction) => {
    await work(transaction);
    finished = finish();
    // What it ends with is looked at when the work is done.
    finished.catch(() => undefined);
    await untilWaiting('opened');
  });
  if (!finished) throw new Error('it did not come back');
  return finished;
}

/** Comes back, and has `work` done between the statement that reads and the one that writes. */
async function finishAround(work: () => Promise<unknown>): Promise<SsoBrowser> {
  const identities = auth.get(ExternalIdentityRepository);
  const findUser = identities.findUser.bind(identities);
  vi.spyOn(identities, 'findUser').mockImplementationOnce(async (...asked) => {
    const found = await findUser(...asked);
    await work();
    return found;
  });
  return (await onTheWay())();
}

/** One statement like this waits for a lock. */
async function untilWaiting(like: string): Promise<void> {
  const waiting = () =>
    auth.database.query(
      `select 1 from pg_stat_activity where wait_event_type = 'Lock' and query ~ $1 and pid <> pg_backend_pid()`,
      [like],
    );
  await expect.poll(waiting).toHaveLength(1);
}

async function userId(): Promise<string> {
  const [row] = await auth.database.query<{ id: string }[]>(`select id from auth.user_account where email = $1`, [
    account.email,
  ]);
  return row?.id ?? '';
}

describe('a user who is disabled while the sign-in is under way', () => {
  it('gets no session where that came first', async () => {
    const before = await sessions();
    const disabling = finishDuring((transaction) =>
      transaction.query(`update auth.user_account set disabled = true where email = $1`, [account.email]),
    );
    expect((await auth.refusal(disabling)).code).toBe('sso.user_disabled');
    expect(await sessions()).toBe(before);
  });

  it('loses the session at once where it came first', async () => {
    const [context, id, finish] = [await auth.admin(), await userId(), await onTheWay()];
    const { users } = await auth.ask(authRequests.getUsers, { ids: [id] }, context);
    let finished: Promise<SsoBrowser> | undefined;
    let disabled: Promise<unknown> | undefined;
    await auth.database.transaction(async (transaction) => {
      // The opening statement writes here when it has the user.
      await transaction.query(`select 1 from auth.external_identity where subject = $1 for update`, [account.sub]);
      finished = finish();
      await untilWaiting('opened');
      const change = { id, version: users[0]?.version ?? 0, disabled: true, cleared: [] };
      disabled = auth.ask(authRequests.updateUser, change, context);
      await untilWaiting('auth.user_account .*for update');
    });
    await disabled;
    expect((await finished)?.sessionCookie).toBeDefined();
    const ofUser = await auth.database.query<{ isOver: boolean }[]>(
      `select ended_at is not null as "isOver" from auth.session where user_id = $1`,
      [id],
    );
    expect(ofUser).toEqual([{ isOver: true }, { isOver: true }]);
  });
});

it('a change of rights while the sign-in is under way counts as made after it', async () => {
  const context = await auth.admin();
  const { sessionCookie } = await finishAround(async () => {
    const id = await userId();
    const { users } = await auth.ask(authRequests.getUsers, { ids: [id] }, context);
    const change = { id, version: users[0]?.version ?? 0, roleNames: { values: ['editor'] }, cleared: [] };
    await auth.ask(authRequests.updateUser, change, context);
  });
  const { accessToken } = await auth.ask(federationRequests.exchangeSessionCookie, { cookie: sessionCookie ?? '' });
  expect((await auth.principalOf(accessToken)).permissions.has('row_policy.read')).toBe(true);
});

describe('through a provider that is changed while the sign-in is under way nobody gets a session', () => {
  const changes = [
    ['disabled', 'identity_provider.not_found', `update auth.identity_provider set enabled = false`],
    [
      'narrowed',
      'sso.provider_changed',
      `update auth.identity_provider set email_domains = '{other.example}', version = version + 1`,
    ],
    ['deleted', 'identity_provider.not_found', `delete from auth.identity_provider`],
  ] as const;
  let kept: object[];

  beforeEach(async () => {
    kept = await auth.database.query<object[]>(`select * from auth.identity_provider where id = $1`, [providerId]);
  });

  afterEach(() =>
    auth.database.query(
      `insert into auth.identity_provider select * from jsonb_populate_recordset(null::auth.identity_provider, $1)
       on conflict (id) do update set enabled = excluded.enabled, email_domains = excluded.email_domains`,
      [JSON.stringify(kept)],
    ),
  );

  const opened = (): Promise<unknown[]> =>
    auth.database.query(
      `select 1 from auth.session s join auth.user_account u on u.id = s.user_id where u.email = $1`,
      [account.email],
    );

  it.each(changes)('(%s, before it is read again)', async (_how, code, change) => {
    const changing = finishAround(() => auth.database.query(`${change} where id = $1`, [providerId]));
    expect((await auth.refusal(changing)).code).toBe(code);
    expect(await opened()).toHaveLength(1);
  });

  it.each(changes)('(%s, while the statement that opens it waits)', async (_how, code, change) => {
    const changing = finishDuring((transaction) => transaction.query(`${change} where id = $1`, [providerId]));
    expect((await auth.refusal(changing)).code).toBe(code);
    expect(await opened()).toHaveLength(1);
  });
});

describe('a provider that another process has changed since it was opened here', () => {
  const change = (set: string) =>
    auth.database.query(`update auth.identity_provider set ${set} where id = $1`, [providerId]);
  afterEach(() =>
    change(`enabled = true, name = 'Company', options = options || '{"clientId": "${client.client_id}"}'`),
  );

  it('has sign-ins begin by what it says now', async () => {
    await change(`options = options || '{"clientId": "another"}', version = version + 1`);
    const location = await new SsoBrowser(auth, providerId).begin();
    expect(location.searchParams.get('client_id')).toBe('another');
  });

  it('has nobody begin where it is disabled', async () => {
    await change(`enabled = false`);
    expect((await auth.refusal(new SsoBrowser(auth, providerId).begin())).code).toBe('identity_provider.not_found');
  });

  it('signs in who comes back to it, and has no failure told', async () => {
    const finish = await onTheWay();
    await change(`name = 'Company, renamed', version = version + 1`);
    const failures = vi.spyOn(auth.get(SignInFailures), 'noteAtProvider');
    expect((await finish()).sessionCookie).toBeDefined();
    expect(failures).not.toHaveBeenCalled();
  });

  it('takes no sign-in while it is disabled, which goes on when it is enabled again', async () => {
    const finish = await onTheWay();
    await change(`enabled = false`);
    expect((await auth.refusal(finish())).code).toBe('identity_provider.not_found');
    await change(`enabled = true`);
    expect((await finish()).sessionCookie).toBeDefined();
  });

  it('is not read for a sign-in where it has not been changed', async () => {
    const asked = vi.spyOn(auth.get(IdentityProviderRepository), 'findEnabled');
    await new SsoBrowser(auth, providerId).signIn(account.sub);
    expect(asked).not.toHaveBeenCalled();
  });
});
