import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { authRequests, federationRequests } from '#libs/contracts';
import { administrator } from '../../test/auth-harness.js';
import { OidcSuite } from '../../test/oidc-suite.js';
import { gatewayOrigin } from '../../test/sso-browser.js';

let suite: OidcSuite;
beforeAll(async () => {
  suite = await OidcSuite.start();
});
afterAll(() => suite.stop());
beforeEach(() => suite.begin());

describe('signing in through OpenID Connect', () => {
  it('makes the user, with groups, attributes and roles by the rules, and signs it in', async () => {
    const browser = suite.browser();
    expect(await browser.signIn(suite.account.sub, '/reports?id=1')).toBe(`${gatewayOrigin}/reports?id=1`);
    const user = await suite.userOf(browser);
    expect(user).toMatchObject({
      ...{ email: suite.account.email, name: suite.account.name, groupNames: ['engineering'], roleNames: ['viewer'] },
      attributes: { department: 'west' },
    });
  });

  it('sets groups, attributes and roles anew at each sign-in, and revokes the tokens of before', async () => {
    const browser = suite.browser();
    await browser.signIn(suite.account.sub);
    const before = await suite.userOf(browser);
    suite.issuer.setAccount({ ...suite.account, groups: ['bosses'], department: undefined });
    const again = suite.browser();
    await again.signIn(suite.account.sub);
    const after = await suite.userOf(again);
    expect(after).toMatchObject({ id: before.id, groupNames: [], roleNames: ['editor'], attributes: {} });
    const [revoked] = await suite.auth.database.query<{ count: string }[]>(
      `select count(*) from auth.revocation where subject = 'USER' and subject_id = $1`,
      [before.id],
    );
    expect(revoked?.count).toBe('1');
  });

  it('at once in two browsers for the first time makes one user', async () => {
    const browsers = [suite.browser(), suite.browser()];
    const callbacks = await Promise.all(
      browsers.map(async (browser) => browser.signInAt(await browser.begin(), suite.account.sub)),
    );
    await Promise.all(browsers.map((browser, index) => browser.finish(callbacks[index] as URL)));
    const [one, other] = await Promise.all(browsers.map((browser) => suite.userOf(browser)));
    expect(one?.id).toBe(other?.id);
  });

  it('refuses a disabled user, and leaves no session', async () => {
    const browser = suite.browser();
    await browser.signIn(suite.account.sub);
    const { id, version } = await suite.userOf(browser);
    await suite.auth.ask(authRequests.updateUser, { id, version, disabled: true, cleared: [] }, suite.admin);
    const before = await suite.counts();
    expect(await suite.refusal(suite.browser().signIn(suite.account.sub))).toBe('sso.user_disabled');
    expect(await suite.counts()).toEqual(before);
    const exchange = suite.auth.ask(federationRequests.exchangeSessionCookie, { cookie: browser.sessionCookie ?? '' });
    expect(await suite.refusal(exchange)).toBe('auth.unauthenticated');
  });

  it('takes over no account that is there by an address that is not verified', async () => {
    suite.issuer.setAccount({ ...suite.account, email: administrator.email, email_verified: false });
    const before = await suite.counts();
    expect(await suite.refusal(suite.browser().signIn(suite.account.sub))).toBe('sso.domain_refused');
    const anyDomain = await suite.createProvider({ emailDomains: [] });
    expect(await suite.refusal(suite.browser(anyDomain).signIn(suite.account.sub))).toBe('sso.email_missing');
    expect(await suite.counts()).toEqual(before);
  });

  it('links an account that is there only by a provider that is named for its domain', async () => {
    const existing = await suite.auth.createUser(suite.admin, {});
    suite.issuer.setAccount({ ...suite.account, email: existing.email });
    const anyDomain = await suite.createProvider({ emailDomains: [] });
    expect(await suite.refusal(suite.browser(anyDomain).signIn(suite.account.sub))).toBe('sso.account_exists');
    const browser = suite.browser();
    await browser.signIn(suite.account.sub);
    expect((await suite.userOf(browser)).id).toBe(existing.id);
    // The address has got another owner at the provider.
    suite.issuer.setAccount({ ...suite.account, sub: 'another', email: existing.email });
    expect(await suite.refusal(suite.browser().signIn('another'))).toBe('sso.account_exists');
  });

  it('refuses an address of another domain', async () => {
    suite.issuer.setAccount({ ...suite.account, email: 'ann@example.com.evil.example' });
    expect(await suite.refusal(suite.browser().signIn(suite.account.sub))).toBe('sso.domain_refused');
  });

  it('never demotes the last administrator', async () => {
    suite.issuer.setAccount({ ...suite.account, email: administrator.email });
    const browser = suite.browser();
    await browser.signIn(suite.account.sub);
    // What was so before its rights were set is refused.
    suite.admin = await suite.auth.admin();
    expect((await suite.userOf(browser)).roleNames).toContain('admin');
  });

  it('is refused by a provider that is disabled, unknown, or of no such form, all the same', async () => {
    const disabled = await suite.createProvider({ enabled: false });
    for (const id of [disabled, 'idp_00000000000000000000000000', 'x\0', '']) {
      expect(await suite.refusal(suite.browser(id).begin())).toBe('identity_provider.not_found');
    }
  });

  it('tells a provider that cannot be reached, or lies where we must not go', async () => {
    const nobody = await suite.createProvider({}, { issuer: 'http://127.0.0.1:9' });
    expect(await suite.refusal(suite.browser(nobody).begin())).toBe('sso.provider_unavailable');
    for (const address of ['http://10.0.0.1', 'http://169.254.169.254', 'http://[::1]:4000', 'http://example.com']) {
      const inside = await suite.createProvider({}, { issuer: address });
      expect(await suite.refusal(suite.browser(inside).begin())).toBe('sso.provider_unavailable');
    }
  });

  it('tells that the provider has not signed anybody in', async () => {
    const browser = suite.browser();
    const callback = await browser.signInAt(await browser.begin(), 'nobody at all');
    expect(await suite.refusal(browser.finish(callback))).toBe('sso.provider_refused');
  });
});
