import { decodeJwt } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { MessageContext } from '#libs/bus';
import { authRequests, federationRequests, identityProviderRequests, type User } from '#libs/contracts';
import { newIssuerKey, OidcIssuer, startPostgres, type IssuerAccount, type PostgresServer } from '#libs/testing';
import { administrator, AuthHarness } from '../../test/auth-harness.js';
import { gatewayOrigin, SsoBrowser } from '../../test/sso-browser.js';

const client = { client_id: 'sluice', client_secret: 'a-secret-of-the-client-of-tests' };

let server: PostgresServer;
let auth: AuthHarness;
let admin: MessageContext;
let issuer: OidcIssuer;
let providerId: string;
let account: IssuerAccount;
let serial = 0;

type Create = Parameters<typeof identityProviderRequests.createIdentityProvider.request.encode>[0];

async function createProvider(change: Partial<Create> = {}, options: object = {}): Promise<string> {
  const input = {
    ...{ name: `Provider ${(serial += 1)}`, kind: 'OIDC' as const, enabled: true, emailDomains: ['example.com'] },
    options: {
      ...{ issuer: issuer.issuer, clientId: client.client_id, clientSecret: client.client_secret },
      ...{ scopes: ['openid', 'email', 'profile', 'groups'], ...options },
    },
    rules: {
      groups: { claim: 'groups', map: [{ value: 'eng', groups: ['engineering'] }] },
      attributes: [{ claim: 'department', attribute: 'department' }],
      roles: { default: ['viewer'], map: [{ claim: 'groups', value: 'bosses', roles: ['editor'] }] },
    },
    ...change,
  };
  const { identityProvider } = await auth.ask(identityProviderRequests.createIdentityProvider, input, admin);
  if (!identityProvider) throw new Error('no provider came back');
  return identityProvider.id;
}

beforeAll(async () => {
  server = await startPostgres();
  // The issuer knows its clients by where they come back to; ids of providers are known once they are made.
  auth = await AuthHarness.start(await server.createDatabase(), {
    SLUICE_AUTH_PROVIDER_ALLOWED_NETWORKS: '127.0.0.0/8',
  });
  admin = await auth.admin();
  issuer = await OidcIssuer.start({
    accounts: [],
    clients: [{ ...client, redirect_uris: [`${gatewayOrigin}/any`] }],
    redirectPath: /^\/v1\/sso\/[^/]+\/(callback|signed-out)$/,
  });
  providerId = await createProvider();
});

afterAll(async () => {
  await issuer.stop();
  await auth.stop();
  await server.stop();
});

beforeEach(() => {
  serial += 1;
  account = {
    ...{ sub: `sub-${serial}`, email: `person-${serial}@example.com`, email_verified: true, name: `Person ${serial}` },
    ...{ groups: ['eng'], department: 'west' },
  };
  issuer.setAccount(account);
});

afterEach(() => {
  issuer.tamper = undefined;
  issuer.publishedKeys = undefined;
  vi.useRealTimers();
});

const refusal = async (work: Promise<unknown>): Promise<string> => (await auth.refusal(work)).code;

async function userOf(browser: SsoBrowser): Promise<User> {
  const { accessToken } = await auth.ask(federationRequests.exchangeSessionCookie, {
    cookie: browser.sessionCookie ?? '',
  });
  const id = decodeJwt(accessToken).sub ?? '';
  const { users } = await auth.ask(authRequests.getUsers, { ids: [id] }, admin);
  if (!users[0]) throw new Error('there is no such user');
  return users[0];
}

/** What a failed sign-in may have left. */
async function counts(): Promise<unknown> {
  const [row] = await auth.database.query<unknown[]>(
    `select (select count(*) from auth.user_account) as users, (select count(*) from auth.session) as sessions,
       (select count(*) from auth.external_identity) as identities, (select count(*) from auth.session_cookie) as cookies`,
  );
  return row;
}

describe('signing in through OpenID Connect', () => {
  it('makes the user, with groups, attributes and roles by the rules, and signs it in', async () => {
    const browser = new SsoBrowser(auth, providerId);
    expect(await browser.signIn(account.sub, '/reports?id=1')).toBe(`${gatewayOrigin}/reports?id=1`);
    const user = await userOf(browser);
    expect(user).toMatchObject({
      ...{ email: account.email, name: account.name, groupNames: ['engineering'], roleNames: ['viewer'] },
      attributes: { department: 'west' },
    });
  });

  it('sets groups, attributes and roles anew at each sign-in, and revokes the tokens of before', async () => {
    const browser = new SsoBrowser(auth, providerId);
    await browser.signIn(account.sub);
    const before = await userOf(browser);
    issuer.setAccount({ ...account, groups: ['bosses'], department: undefined });
    const again = new SsoBrowser(auth, providerId);
    await again.signIn(account.sub);
    const after = await userOf(again);
    expect(after).toMatchObject({ id: before.id, groupNames: [], roleNames: ['editor'], attributes: {} });
    const [revoked] = await auth.database.query<{ count: string }[]>(
      `select count(*) from auth.revocation where subject = 'USER' and subject_id = $1`,
      [before.id],
    );
    expect(revoked?.count).toBe('1');
  });

  it('at once in two browsers for the first time makes one user', async () => {
    const browsers = [new SsoBrowser(auth, providerId), new SsoBrowser(auth, providerId)];
    const callbacks = await Promise.all(
      browsers.map(async (browser) => browser.signInAt(await browser.begin(), account.sub)),
    );
    await Promise.all(browsers.map((browser, index) => browser.finish(callbacks[index] as URL)));
    const [one, other] = await Promise.all(browsers.map(userOf));
    expect(one?.id).toBe(other?.id);
  });

  it('refuses a disabled user, and leaves no session', async () => {
    const browser = new SsoBrowser(auth, providerId);
    await browser.signIn(account.sub);
    const { id, version } = await userOf(browser);
    await auth.ask(authRequests.updateUser, { id, version, disabled: true, cleared: [] }, admin);
    const before = await counts();
    expect(await refusal(new SsoBrowser(auth, providerId).signIn(account.sub))).toBe('sso.user_disabled');
    expect(await counts()).toEqual(before);
    const exchange = auth.ask(federationRequests.exchangeSessionCookie, { cookie: browser.sessionCookie ?? '' });
    expect(await refusal(exchange)).toBe('auth.unauthenticated');
  });

  it('takes over no account that is there by an address that is not verified', async () => {
    issuer.setAccount({ ...account, email: administrator.email, email_verified: false });
    const before = await counts();
    expect(await refusal(new SsoBrowser(auth, providerId).signIn(account.sub))).toBe('sso.domain_refused');
    const anyDomain = await createProvider({ emailDomains: [] });
    expect(await refusal(new SsoBrowser(auth, anyDomain).signIn(account.sub))).toBe('sso.email_missing');
    expect(await counts()).toEqual(before);
  });

  it('links an account that is there only by a provider that is named for its domain', async () => {
    const existing = await auth.createUser(admin, {});
    issuer.setAccount({ ...account, email: existing.email });
    const anyDomain = await createProvider({ emailDomains: [] });
    expect(await refusal(new SsoBrowser(auth, anyDomain).signIn(account.sub))).toBe('sso.account_exists');
    const browser = new SsoBrowser(auth, providerId);
    await browser.signIn(account.sub);
    expect((await userOf(browser)).id).toBe(existing.id);
    // The address has got another owner at the provider.
    issuer.setAccount({ ...account, sub: 'another', email: existing.email });
    expect(await refusal(new SsoBrowser(auth, providerId).signIn('another'))).toBe('sso.account_exists');
  });

  it('refuses an address of another domain', async () => {
    issuer.setAccount({ ...account, email: 'ann@example.com.evil.example' });
    expect(await refusal(new SsoBrowser(auth, providerId).signIn(account.sub))).toBe('sso.domain_refused');
  });

  it('never demotes the last administrator', async () => {
    issuer.setAccount({ ...account, email: administrator.email });
    const browser = new SsoBrowser(auth, providerId);
    await browser.signIn(account.sub);
    // What was so before its rights were set is refused.
    admin = await auth.admin();
    expect((await userOf(browser)).roleNames).toContain('admin');
  });

  it('is refused by a provider that is disabled, unknown, or of no such form, all the same', async () => {
    const disabled = await createProvider({ enabled: false });
    for (const id of [disabled, 'idp_00000000000000000000000000', 'x\0', '']) {
      expect(await refusal(new SsoBrowser(auth, id).begin())).toBe('identity_provider.not_found');
    }
  });

  it('tells a provider that cannot be reached, or lies where we must not go', async () => {
    const nobody = await createProvider({}, { issuer: 'http://127.0.0.1:9' });
    expect(await refusal(new SsoBrowser(auth, nobody).begin())).toBe('sso.provider_unavailable');
    for (const address of ['http://10.0.0.1', 'http://169.254.169.254', 'http://[::1]:4000', 'http://example.com']) {
      const inside = await createProvider({}, { issuer: address });
      expect(await refusal(new SsoBrowser(auth, inside).begin())).toBe('sso.provider_unavailable');
    }
  });

  it('tells that the provider has not signed anybody in', async () => {
    const browser = new SsoBrowser(auth, providerId);
    const callback = await browser.signInAt(await browser.begin(), 'nobody at all');
    expect(await refusal(browser.finish(callback))).toBe('sso.provider_refused');
  });
});

describe('an answer of the provider', () => {
  /** Signs in with an id token that `forge` has made. */
  async function withToken(forge: NonNullable<OidcIssuer['tamper']>, provider = providerId): Promise<string> {
    const before = await counts();
    issuer.tamper = forge;
    const code = await refusal(new SsoBrowser(auth, provider).signIn(account.sub));
    expect(await counts()).toEqual(before);
    return code;
  }
  const encoded = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');

  it('is taken when it is signed anew by the provider, so that the refusals below are for what they change', async () => {
    issuer.tamper = (claims) => issuer.sign(claims);
    const browser = new SsoBrowser(auth, providerId);
    await browser.signIn(account.sub);
    expect(await userOf(browser)).toMatchObject({ email: account.email });
  });

  it('alg none: is refused without a signature', async () => {
    expect(await withToken((claims) => `${encoded({ alg: 'none' })}.${encoded(claims)}.`)).toBe('sso.answer_refused');
  });

  it('HS256 with the public key: is refused when it is signed by what everybody knows', async () => {
    const { createHmac, createPublicKey } = await import('node:crypto');
    const pem = createPublicKey({ key: issuer.key.jwk, format: 'jwk' }).export({
      type: 'spki',
      format: 'pem',
    });
    const forge = (claims: object): string => {
      const text = `${encoded({ alg: 'HS256', kid: issuer.key.jwk.kid })}.${encoded(claims)}`;
      return `${text}.${createHmac('sha256', pem).update(text).digest('base64url')}`;
    };
    expect(await withToken(forge)).toBe('sso.answer_refused');
  });

  it('unknown kid: is refused, and does not have the provider asked for its keys each time', async () => {
    const other = await newIssuerKey('unknown');
    const asked = issuer.keysAsked;
    for (let round = 0; round < 3; round += 1) {
      expect(await withToken((claims) => issuer.sign(claims, other))).toBe('sso.answer_refused');
    }
    expect(issuer.keysAsked - asked).toBeLessThanOrEqual(1);
  });

  it('attacker’s jku: is refused, and nothing is fetched from there', async () => {
    const other = await newIssuerKey('issuer-1');
    const attacker = await OidcIssuer.start({ accounts: [], clients: [] });
    attacker.publishedKeys = [other.jwk];
    const forge = (claims: object) => issuer.sign({ ...claims }, other, { jku: `${attacker.issuer}/jwks` });
    expect(await withToken(forge)).toBe('sso.answer_refused');
    expect(attacker.keysAsked).toBe(0);
    await attacker.stop();
  });

  it('nonce: is refused when it was made for another sign-in, or for none', async () => {
    expect(await withToken((claims) => issuer.sign({ ...claims, nonce: 'another' }))).toBe('sso.answer_refused');
    expect(await withToken((claims) => issuer.sign({ ...claims, nonce: undefined }))).toBe('sso.answer_refused');
  });

  it('of another issuer, for another client, or without a subject is refused', async () => {
    for (const change of [
      { iss: 'https://evil.example' },
      { aud: 'another' },
      { sub: undefined },
      { azp: 'another' },
    ]) {
      expect(await withToken((claims) => issuer.sign({ ...claims, ...change }))).toBe('sso.answer_refused');
    }
  });

  it('expired and not-yet-valid with skew: is refused beyond the skew of the clocks, and taken within', async () => {
    const now = Math.floor(Date.now() / 1_000);
    for (const change of [{ exp: now - 60 }, { nbf: now + 60 }, { exp: now - 31 }]) {
      expect(await withToken((claims) => issuer.sign({ ...claims, ...change }))).toBe('sso.answer_refused');
    }
    for (const change of [{ exp: now - 15 }, { nbf: now + 15 }]) {
      issuer.tamper = (claims) => issuer.sign({ ...claims, ...change });
      await expect(new SsoBrowser(auth, providerId).signIn(account.sub)).resolves.toBeDefined();
    }
  });
});

describe('the way through the browser', () => {
  it('missing or wrong state: is refused, and so is one of another browser or of another time', async () => {
    const browser = new SsoBrowser(auth, providerId);
    const callback = await browser.signInAt(await browser.begin(), account.sub);
    const before = await counts();
    const changed = (change: (search: URLSearchParams) => void): URL => {
      const url = new URL(callback);
      change(url.searchParams);
      return url;
    };
    const wrong = [
      changed((search) => search.delete('state')),
      changed((search) => search.set('state', 'x'.repeat(43))),
      changed((search) => search.set('state', '')),
    ];
    for (const url of wrong) expect(await refusal(browser.finish(url))).toBe('sso.state_wrong');
    const other = new SsoBrowser(auth, providerId);
    expect(await refusal(other.finish(callback))).toBe('sso.state_wrong');
    await other.begin();
    expect(await refusal(other.finish(callback))).toBe('sso.state_wrong');
    expect(await counts()).toEqual(before);
    await browser.finish(callback);
    expect(await refusal(browser.finish(callback))).toBe('sso.state_wrong');
    const late = await browser.signInAt(await browser.begin(), account.sub);
    await auth.database.query(`update auth.sso_flow set expires_at = now() - interval '1 second'`);
    expect(await refusal(browser.finish(late))).toBe('sso.state_wrong');
  });

  it('verifier: a code that was stolen is worth nothing in another sign-in', async () => {
    const [victim, thief] = [new SsoBrowser(auth, providerId), new SsoBrowser(auth, providerId)];
    const stolen = await victim.signInAt(await victim.begin(), account.sub);
    const own = await thief.begin();
    const forged = new URL(stolen);
    forged.searchParams.set('state', own.searchParams.get('state') ?? '');
    expect(await refusal(thief.finish(forged))).toBe('sso.answer_refused');
  });

  it('mix-up: an answer of one provider is not taken for one of another', async () => {
    const other = new SsoBrowser(auth, await createProvider());
    const browser = new SsoBrowser(auth, providerId);
    const callback = await browser.signInAt(await browser.begin(), account.sub);
    other.flowCookie = browser.flowCookie;
    expect(await refusal(other.finish(callback))).toBe('sso.state_wrong');
    const named = new URL(callback);
    named.searchParams.set('iss', 'https://evil.example');
    expect(await refusal(browser.finish(named))).toBe('sso.answer_refused');
    const next = await browser.signInAt(await browser.begin(), account.sub);
    next.searchParams.delete('iss');
    expect(await refusal(browser.finish(next))).toBe('sso.answer_refused');
  });

  it('session fixation: the session is a new one at each sign-in, and the one of before is over', async () => {
    const browser = new SsoBrowser(auth, providerId);
    await browser.signIn(account.sub);
    const first = browser.sessionCookie ?? '';
    await browser.signIn(account.sub);
    expect(browser.sessionCookie).not.toBe(first);
    expect(await refusal(auth.ask(federationRequests.exchangeSessionCookie, { cookie: first }))).toBe(
      'auth.unauthenticated',
    );
    browser.sessionCookie = 'x'.repeat(43);
    await browser.signIn(account.sub);
    expect(browser.sessionCookie).not.toBe('x'.repeat(43));
  });

  it('in several pages of one browser at once works in each', async () => {
    const browser = new SsoBrowser(auth, providerId);
    const pages = [await browser.begin('/one'), await browser.begin('/two')];
    for (const [index, page] of pages.entries()) {
      const to = await browser.finish(await browser.signInAt(page, account.sub));
      expect(to).toBe(`${gatewayOrigin}/${index === 0 ? 'one' : 'two'}`);
    }
  });

  it('keeps nothing in the database that a browser or a provider proves by', async () => {
    const browser = new SsoBrowser(auth, providerId);
    const location = await browser.begin();
    const proofs = [browser.flowCookie, location.searchParams.get('state'), location.searchParams.get('nonce')];
    const [rows] = await auth.database.query<{ text: string }[]>(
      `select string_agg(f::text, ' ') as text from auth.sso_flow f`,
    );
    for (const proof of proofs) expect(rows?.text).not.toContain(proof);
    await browser.finish(await browser.signInAt(location, account.sub));
    const [kept] = await auth.database.query<{ text: string }[]>(
      `select string_agg(c::text, ' ') as text from auth.session_cookie c`,
    );
    expect(kept?.text).not.toContain(browser.sessionCookie);
  });

  it('tokens never in URLs or logs: no address that a browser sees holds one', async () => {
    const given: string[] = [];
    issuer.tamper = (_claims, token) => (given.push(token), token);
    const browser = new SsoBrowser(auth, providerId);
    const location = await browser.begin();
    const callback = await browser.signInAt(location, account.sub);
    const last = await browser.finish(callback);
    expect(given).toHaveLength(1);
    for (const address of [location.href, callback.href, last]) {
      expect(address).not.toMatch(/token|eyJ/);
      expect(address).not.toContain(browser.sessionCookie);
    }
  });
});

describe('the keys of the provider', () => {
  it('rotate: a new key is found without a restart, once the provider may be asked again', async () => {
    const next = await newIssuerKey('issuer-2');
    const provider = await createProvider();
    await new SsoBrowser(auth, provider).signIn(account.sub);
    issuer.publishedKeys = [issuer.key.jwk, next.jwk];
    issuer.tamper = (claims) => issuer.sign(claims, next);
    expect(await refusal(new SsoBrowser(auth, provider).signIn(account.sub))).toBe('sso.answer_refused');
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 });
    await expect(new SsoBrowser(auth, provider).signIn(account.sub)).resolves.toBeDefined();
  });
});
