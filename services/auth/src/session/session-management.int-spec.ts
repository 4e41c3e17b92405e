import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accountRequests, authRequests } from '#libs/contracts';
import { TokenVerifier } from '#libs/identity';
import { startPostgres, until, type PostgresServer } from '#libs/testing';
import { administrator, AuthHarness } from '../../test/auth-harness.js';

let server: PostgresServer;
let auth: AuthHarness;
beforeAll(async () => {
  server = await startPostgres();
  auth = await AuthHarness.start(await server.createDatabase());
});
afterAll(async () => {
  await auth.stop();
  await server.stop();
});

type Context = Awaited<ReturnType<AuthHarness['as']>>;

const refused = async (work: Promise<unknown>) => (await auth.refusal(work)).code;
const newUser = async () => auth.createUser(await auth.admin(), {});
const list = (context: Context, userId?: string) =>
  auth.ask(accountRequests.listSessions, { page: { first: 100 }, userId }, context);
const sessionIdOf = async (token: string) => (await auth.get(TokenVerifier).verify(token)).sessionId;
const isRevoked = async (token: string) => {
  await until(async () => (await refused(auth.get(TokenVerifier).verify(token))) === 'auth.token_revoked');
};

describe('the list of sessions', () => {
  it('has one’s own that are not over, the newest first, with where they were opened and which one asks', async () => {
    const user = await newUser();
    const first = await auth.ask(authRequests.signIn, {
      ...user,
      userAgent: `Browser\0 ${'x'.repeat(300)}`,
      clientAddress: '203.0.113.9',
    });
    const second = await auth.signIn(user);
    const over = await auth.signIn(user);
    await auth.ask(authRequests.signOut, {}, await auth.as(over.accessToken));
    const { sessions, totalCount } = await list(await auth.as(first.accessToken));
    expect(sessions.map(({ id, current }) => [id, current])).toEqual([
      [await sessionIdOf(second.accessToken), false],
      [await sessionIdOf(first.accessToken), true],
    ]);
    expect(totalCount).toBe(2);
    expect(sessions[1]).toMatchObject({
      clientAddress: '203.0.113.9',
      userAgent: expect.stringMatching(/^Browser x+$/),
    });
    expect(sessions[1]?.userAgent?.length).toBe(200);
  });

  it('says when each was last refreshed, and leaves out who has not refreshed in time', async () => {
    const user = await newUser();
    const [mine, idle] = [await auth.signIn(user), await auth.signIn(user)];
    await auth.database.query(`update auth.session set last_used_at = now() - interval '1 hour' where user_id = $1`, [
      user.id,
    ]);
    await auth.database.query(`update auth.refresh_token set expires_at = now() where session_id = $1`, [
      await sessionIdOf(idle.accessToken),
    ]);
    await auth.refresh(mine.refreshToken);
    const { sessions } = await list(await auth.as(mine.accessToken));
    expect(sessions).toHaveLength(1);
    expect(Date.now() - (sessions[0]?.lastUsedAt?.getTime() ?? 0)).toBeLessThan(60_000);
  });

  it('is searched literally by what the client said of itself and by where it was opened, among those of one user', async () => {
    const user = await newUser();
    const from = (userAgent: string, clientAddress: string, who = user) =>
      auth.ask(authRequests.signIn, { ...who, userAgent, clientAddress });
    const phone = await sessionIdOf((await from('Phone 100%_x', '203.0.113.9')).accessToken);
    const laptop = await from('Laptop 100 x', '198.51.100.7');
    await from('Phone 100%_x', '203.0.113.9', await newUser());
    const context = await auth.as(laptop.accessToken);
    const find = async (search: string) => {
      const page = { first: 10 };
      const { sessions, totalCount } = await auth.ask(accountRequests.listSessions, { page, search }, context);
      expect(totalCount).toBe(sessions.length);
      return sessions.map(({ id }) => id);
    };
    expect(await find('phone 100%_')).toEqual([phone]);
    expect(await find('100__')).toEqual([]);
    expect(await find('198.51.')).toEqual([await sessionIdOf(laptop.accessToken)]);
    expect(await find('nowhere')).toEqual([]);
  });

  it('of another is for administrators, and of a user of another workspace it is empty', async () => {
    const user = await newUser();
    await auth.signIn(user);
    const stranger = await auth.as((await auth.signIn(await newUser())).accessToken);
    expect(await refused(list(stranger, user.id))).toBe('auth.forbidden');
    const admin = await auth.admin();
    expect((await list(admin, user.id)).totalCount).toBe(1);
    expect((await list(admin, 'usr_unknown')).totalCount).toBe(0);
  });
});

describe('an API key', () => {
  it('sees no sessions of its owner, named or not, unless it manages users and names one', async () => {
    const admin = await auth.admin();
    const { userId } = await auth.principalOf((await auth.signIn(administrator)).accessToken);
    const keyWith = async (...values: string[]) => {
      const { secret } = await auth.ask(authRequests.createApiKey, { name: 'k', permissions: { values } }, admin);
      return auth.as((await auth.ask(authRequests.exchangeApiKey, { secret })).accessToken);
    };
    const narrow = await keyWith('query.run');
    expect(await refused(list(narrow))).toBe('auth.forbidden');
    expect(await refused(list(narrow, userId))).toBe('auth.forbidden');
    const managing = await keyWith('user.manage');
    expect(await refused(list(managing))).toBe('auth.forbidden');
    expect((await list(managing, userId)).totalCount).toBeGreaterThan(0);
  });
});

describe('ending sessions', () => {
  it('of one’s own, one by one, ends that one and no other, and no session of another', async () => {
    const [user, other] = [await newUser(), await newUser()];
    const [mine, lost, others] = [await auth.signIn(user), await auth.signIn(user), await auth.signIn(other)];
    const context = await auth.as(mine.accessToken);
    const revoke = (id = '') => auth.ask(accountRequests.revokeSession, { id }, context);
    expect(await refused(revoke(await sessionIdOf(others.accessToken)))).toBe('auth.session_not_found');
    const lostId = await sessionIdOf(lost.accessToken);
    await revoke(lostId);
    expect(await refused(revoke(lostId))).toBe('auth.session_not_found');
    expect(await refused(auth.refresh(lost.refreshToken))).toBe('auth.unauthenticated');
    await isRevoked(lost.accessToken);
    await expect(auth.refresh(mine.refreshToken)).resolves.toBeDefined();
    await expect(auth.refresh(others.refreshToken)).resolves.toBeDefined();
  });

  it('all others leaves the one that asks', async () => {
    const user = await newUser();
    const [mine, one, two] = [await auth.signIn(user), await auth.signIn(user), await auth.signIn(user)];
    const context = await auth.as(mine.accessToken);
    expect(await auth.ask(accountRequests.revokeOtherSessions, {}, context)).toEqual({ count: 2 });
    for (const { refreshToken } of [one, two])
      expect(await refused(auth.refresh(refreshToken))).toBe('auth.unauthenticated');
    await expect(auth.refresh(mine.refreshToken)).resolves.toBeDefined();
  });

  it('of a user, by an administrator, ends all of them', async () => {
    const user = await newUser();
    const [one, two] = [await auth.signIn(user), await auth.signIn(user)];
    const end = (context: Context) => auth.ask(accountRequests.revokeUserSessions, { userId: user.id }, context);
    expect(await refused(end(await auth.as(one.accessToken)))).toBe('auth.forbidden');
    expect(await end(await auth.admin())).toEqual({ count: 2 });
    for (const { refreshToken, accessToken } of [one, two]) {
      expect(await refused(auth.refresh(refreshToken))).toBe('auth.unauthenticated');
      await isRevoked(accessToken);
    }
  });

  it('is nothing for API keys, which are made for less than their makers', async () => {
    const admin = await auth.admin();
    const { secret } = await auth.ask(authRequests.createApiKey, { name: 'A key' }, admin);
    const byKey = await auth.as((await auth.ask(authRequests.exchangeApiKey, { secret })).accessToken);
    expect(await refused(list(byKey))).toBe('auth.forbidden');
    expect(await refused(auth.ask(accountRequests.revokeOtherSessions, {}, byKey))).toBe('auth.forbidden');
  });
});

describe('session fixation', () => {
  it('gains nothing: each sign-in has a session and tokens of its own, whatever session was there before', async () => {
    const user = await newUser();
    const planted = await auth.signIn(user);
    const context = await auth.as(planted.accessToken);
    const fresh = await auth.ask(authRequests.signIn, user, context);
    expect(await sessionIdOf(fresh.accessToken)).not.toBe(await sessionIdOf(planted.accessToken));
    expect(fresh.refreshToken).not.toBe(planted.refreshToken);
    await auth.ask(authRequests.signOut, {}, await auth.as(fresh.accessToken));
    // Neither lives on in the other.
    await expect(auth.refresh(planted.refreshToken)).resolves.toBeDefined();
    expect(await refused(auth.refresh(fresh.refreshToken))).toBe('auth.unauthenticated');
  });

  it('by a password that is being changed gains nothing either: a sign-in with the old one opens no session behind the change', async () => {
    const user = await newUser();
    const mine = await auth.as((await auth.signIn(user)).accessToken);
    const newPassword = 'another horse battery';
    const [, signedIn] = await Promise.allSettled([
      auth.ask(accountRequests.changePassword, { currentPassword: user.password, newPassword }, mine),
      auth.signIn(user),
    ]);
    // Whichever came first: a session of the old password is over, or was never opened.
    const refreshToken = signedIn.status === 'fulfilled' ? signedIn.value.refreshToken : '';
    expect(await refused(auth.refresh(refreshToken))).toBe('auth.unauthenticated');
    const { totalCount } = await list(mine);
    expect(totalCount).toBe(1);
  });
});
