import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '#libs/kernel';
import { OidcIssuer, startPostgres, type PostgresServer } from '#libs/testing';
import { AuthHarness } from '../../test/auth-harness.js';
import { createProvider } from '../../test/sso.js';
import { gatewayOrigin, SsoBrowser } from '../../test/sso-browser.js';

const client = { client_id: 'sluice', client_secret: 'a-secret-of-the-client-of-tests' };
const atOnce = 16;
const rounds = 3;

let server: PostgresServer;
let auth: AuthHarness;
let issuer: OidcIssuer;
let providers: string[];

beforeAll(async () => {
  server = await startPostgres();
  auth = await AuthHarness.start(await server.createDatabase(), {
    SLUICE_AUTH_PROVIDER_ALLOWED_NETWORKS: '127.0.0.0/8',
    // So many at once may take long on a machine that does other things too.
    SLUICE_AUTH_PROVIDER_TIMEOUT_MS: '30000',
  });
  issuer = await OidcIssuer.start({
    accounts: [],
    clients: [{ ...client, redirect_uris: [`${gatewayOrigin}/any`] }],
    redirectPath: /^\/v1\/sso\/[^/]+\/callback$/,
  });
  providers = [await createProviderNamed('One'), await createProviderNamed('Two')];
});

afterAll(async () => {
  await issuer.stop();
  await auth.stop();
  await server.stop();
});

function createProviderNamed(name: string, emailDomains = ['example.com']): Promise<string> {
  return createProvider(auth, {
    ...{ name, kind: 'OIDC', emailDomains },
    options: {
      ...{ issuer: issuer.issuer, clientId: client.client_id, clientSecret: client.client_secret },
      scopes: ['openid', 'email', 'profile', 'groups'],
    },
    rules: { groups: { claim: 'groups', passThrough: true }, roles: { default: ['analyst'] } },
  });
}

/** Somebody new, of groups that are new too, named in another order by each. */
function newcomer(round: number, number: number): string {
  const sub = `sub-${round}-${number}`;
  const groups = Array.from({ length: 4 }, (_, group) => `group-${round}-${(number + group) % 6}`);
  issuer.setAccount({ sub, email: `${sub}@example.com`, email_verified: true, name: sub, groups });
  return sub;
}

/** All callbacks come at once. */
async function finishAtOnce(
  signIns: readonly { readonly sub: string; readonly provider: string }[],
): Promise<unknown[]> {
  const ready = await Promise.all(
    signIns.map(async ({ sub, provider }) => {
      const browser = new SsoBrowser(auth, provider);
      return { browser, callback: await browser.signInAt(await browser.begin(), sub) };
    }),
  );
  const settled = await Promise.allSettled(ready.map(({ browser, callback }) => browser.finish(callback)));
  return settled.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
}

async function countOf(what: string, like: string): Promise<number> {
  const [row] = await auth.database.query<{ count: string }[]>(
    `select count(*) from ${what} where ${what === 'auth.user_account' ? 'email' : 'subject'} like $1`,
    [like],
  );
  return Number(row?.count);
}

const ofRounds = Array.from({ length: rounds }, (_, round) => round);
const numbers = Array.from({ length: atOnce }, (_, number) => number);

describe('many first sign-ins at once', () => {
  it.each(ofRounds)('of different people in new groups all go well (round %i)', async (round) => {
    const signIns = numbers.map((number) => ({ sub: newcomer(round, number), provider: providers[0] ?? '' }));
    expect(await finishAtOnce(signIns)).toEqual([]);
    expect(await countOf('auth.user_account', `sub-${round}-%`)).toBe(atOnce);
  });

  it.each(ofRounds)('of one person make one user (round %i)', async (round) => {
    const sub = newcomer(100 + round, 0);
    expect(await finishAtOnce(numbers.map(() => ({ sub, provider: providers[0] ?? '' })))).toEqual([]);
    expect(await countOf('auth.user_account', `${sub}@%`)).toBe(1);
    expect(await countOf('auth.federated_session', sub)).toBe(atOnce);
  });

  it.each(ofRounds)('of one person through two providers make one user (round %i)', async (round) => {
    const sub = newcomer(200 + round, 0);
    const signIns = numbers.map((number) => ({ sub, provider: providers[number % 2] ?? '' }));
    expect(await finishAtOnce(signIns)).toEqual([]);
    expect(await countOf('auth.user_account', `${sub}@%`)).toBe(1);
    expect(await countOf('auth.external_identity', sub)).toBe(2);
  });
});

describe('a first sign-in whose address somebody else takes at the same moment', () => {
  /** The sign-in waits for who has inserted the address, and goes on when that is there. */
  async function signInBehind(
    provider: string,
    { disabled }: { disabled: boolean },
  ): Promise<{ id: string; sub: string }> {
    const [id, sub] = [newId('user'), newcomer(300, number)];
    number += 1;
    const browser = new SsoBrowser(auth, provider);
    const callback = await browser.signInAt(await browser.begin(), sub);
    let finished: Promise<unknown> | undefined;
    await auth.database.transaction(async (transaction) => {
      await transaction.query(
        `insert into auth.user_account (id, workspace_id, email, name, name_key, role_names, disabled)
         select $1, workspace_id, $2, 'Made meanwhile', 'made meanwhile', '{viewer}', $3
         from auth.identity_provider where id = $4`,
        [id, `${sub}@example.com`, disabled, provider],
      );
      finished = browser.finish(callback);
      // What it ends with is looked at when the address is taken.
      finished.catch(() => undefined);
      const waiting = () =>
        auth.database.query(
          `select 1 from pg_stat_activity where wait_event_type = 'Lock' and query ~ 'insert into auth.user_account'`,
        );
      await expect.poll(waiting).toHaveLength(1);
    });
    await finished;
    return { id, sub };
  }
  let number = 0;

  it('is linked to that user', async () => {
    const { id, sub } = await signInBehind(providers[0] ?? '', { disabled: false });
    const linked = await auth.database.query<{ id: string }[]>(
      `select user_id as id from auth.external_identity where subject = $1`,
      [sub],
    );
    expect(linked).toEqual([{ id }]);
  });

  it('is refused by a provider that is named for no address', async () => {
    const anywhere = await createProviderNamed('Anywhere', []);
    const { code } = await auth.refusal(signInBehind(anywhere, { disabled: false }));
    expect(code).toBe('sso.account_exists');
  });

  it('is refused where that user is disabled', async () => {
    const { code } = await auth.refusal(signInBehind(providers[0] ?? '', { disabled: true }));
    expect(code).toBe('sso.user_disabled');
  });
});
