import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

function createProviderNamed(name: string): Promise<string> {
  return createProvider(auth, {
    ...{ name, kind: 'OIDC', emailDomains: ['example.com'] },
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
