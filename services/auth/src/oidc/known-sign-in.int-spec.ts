import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { OidcIssuer, startPostgres, type IssuerAccount, type PostgresServer } from '#libs/testing';
import { AuthHarness } from '../../test/auth-harness.js';
import { createProvider } from '../../test/sso.js';
import { gatewayOrigin, SsoBrowser } from '../../test/sso-browser.js';

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

it('a user who is disabled while the sign-in is under way gets no session', async () => {
  const before = await sessions();
  const browser = new SsoBrowser(auth, providerId);
  const callback = await browser.signInAt(await browser.begin(), account.sub);
  let refused: Promise<{ code: string }> | undefined;
  await auth.database.transaction(async (transaction) => {
    await transaction.query(`update auth.user_account set disabled = true where email = $1`, [account.email]);
    refused = auth.refusal(browser.finish(callback));
    await expect
      .poll(() =>
        auth.database.query(`select 1 from pg_stat_activity where wait_event_type = 'Lock' and query ~ 'opened'`),
      )
      .toHaveLength(1);
  });
  expect((await refused)?.code).toBe('sso.user_disabled');
  expect(await sessions()).toBe(before);
});
