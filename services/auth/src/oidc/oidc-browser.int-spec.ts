import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { federationRequests } from '#libs/contracts';
import { OidcSuite } from '../../test/oidc-suite.js';
import { gatewayOrigin } from '../../test/sso-browser.js';

let suite: OidcSuite;
beforeAll(async () => {
  suite = await OidcSuite.start();
});
afterAll(() => suite.stop());
beforeEach(() => suite.begin());

describe('the way through the browser', () => {
  it('missing or wrong state: is refused, and so is one of another browser or of another time', async () => {
    const browser = suite.browser();
    const callback = await browser.signInAt(await browser.begin(), suite.account.sub);
    const before = await suite.counts();
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
    for (const url of wrong) expect(await suite.refusal(browser.finish(url))).toBe('sso.state_wrong');
    const other = suite.browser();
    expect(await suite.refusal(other.finish(callback))).toBe('sso.state_wrong');
    await other.begin();
    expect(await suite.refusal(other.finish(callback))).toBe('sso.state_wrong');
    expect(await suite.counts()).toEqual(before);
    await browser.finish(callback);
    expect(await suite.refusal(browser.finish(callback))).toBe('sso.state_wrong');
    const late = await browser.signInAt(await browser.begin(), suite.account.sub);
    await suite.auth.database.query(`update auth.sso_flow set expires_at = now() - interval '1 second'`);
    expect(await suite.refusal(browser.finish(late))).toBe('sso.state_wrong');
  });

  it('verifier: a code that was stolen is worth nothing in another sign-in', async () => {
    const [victim, thief] = [suite.browser(), suite.browser()];
    const stolen = await victim.signInAt(await victim.begin(), suite.account.sub);
    const own = await thief.begin();
    const forged = new URL(stolen);
    forged.searchParams.set('state', own.searchParams.get('state') ?? '');
    expect(await suite.refusal(thief.finish(forged))).toBe('sso.answer_refused');
  });

  it('mix-up: an answer of one provider is not taken for one of another', async () => {
    const other = suite.browser(await suite.createProvider());
    const browser = suite.browser();
    const callback = await browser.signInAt(await browser.begin(), suite.account.sub);
    other.flowCookie = browser.flowCookie;
    expect(await suite.refusal(other.finish(callback))).toBe('sso.state_wrong');
    const named = new URL(callback);
    named.searchParams.set('iss', 'https://evil.example');
    expect(await suite.refusal(browser.finish(named))).toBe('sso.answer_refused');
    const next = await browser.signInAt(await browser.begin(), suite.account.sub);
    next.searchParams.delete('iss');
    expect(await suite.refusal(browser.finish(next))).toBe('sso.answer_refused');
  });

  it('session fixation: the session is a new one at each sign-in, and the one of before is over', async () => {
    const browser = suite.browser();
    await browser.signIn(suite.account.sub);
    const first = browser.sessionCookie ?? '';
    await browser.signIn(suite.account.sub);
    expect(browser.sessionCookie).not.toBe(first);
    expect(await suite.refusal(suite.auth.ask(federationRequests.exchangeSessionCookie, { cookie: first }))).toBe(
      'auth.unauthenticated',
    );
    browser.sessionCookie = 'x'.repeat(43);
    await browser.signIn(suite.account.sub);
    expect(browser.sessionCookie).not.toBe('x'.repeat(43));
  });

  it('in several pages of one browser at once works in each', async () => {
    const browser = suite.browser();
    const pages = [await browser.begin('/one'), await browser.begin('/two')];
    for (const [index, page] of pages.entries()) {
      const to = await browser.finish(await browser.signInAt(page, suite.account.sub));
      expect(to).toBe(`${gatewayOrigin}/${index === 0 ? 'one' : 'two'}`);
    }
  });

  it('keeps nothing in the database that a browser or a provider proves by', async () => {
    const browser = suite.browser();
    const location = await browser.begin();
    const proofs = [browser.flowCookie, location.searchParams.get('state'), location.searchParams.get('nonce')];
    const [rows] = await suite.auth.database.query<{ text: string }[]>(
      `select string_agg(f::text, ' ') as text from auth.sso_flow f`,
    );
    for (const proof of proofs) expect(rows?.text).not.toContain(proof);
    await browser.finish(await browser.signInAt(location, suite.account.sub));
    const [kept] = await suite.auth.database.query<{ text: string }[]>(
      `select string_agg(c::text, ' ') as text from auth.session_cookie c`,
    );
    expect(kept?.text).not.toContain(browser.sessionCookie);
  });

  it('tokens never in URLs or logs: no address that a browser sees holds one', async () => {
    const given: string[] = [];
    suite.issuer.tamper = (_claims, token) => (given.push(token), token);
    const browser = suite.browser();
    const location = await browser.begin();
    const callback = await browser.signInAt(location, suite.account.sub);
    const last = await browser.finish(callback);
    expect(given).toHaveLength(1);
    for (const address of [location.href, callback.href, last]) {
      expect(address).not.toMatch(/token|eyJ/);
      expect(address).not.toContain(browser.sessionCookie);
    }
  });
});
