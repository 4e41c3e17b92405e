import { Secret, TOTP } from 'otpauth';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accountRequests, authRequests } from '#libs/contracts';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { AuthHarness } from '../../test/auth-harness.js';

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

interface Person {
  readonly id: string;
  readonly email: string;
  readonly password: string;
}

const refused = async (work: Promise<unknown>) => (await auth.refusal(work)).code;
const newUser = async () => auth.createUser(await auth.admin(), {});
const begin = ({ email, password }: Person) =>
  auth.ask(accountRequests.beginSecondFactor, { proof: { email, password } });
const confirm = ({ email, password }: Person, secondFactor: string) =>
  auth.ask(accountRequests.confirmSecondFactor, { proof: { email, password, secondFactor } });
const signIn = ({ email, password }: Person, secondFactor?: string) =>
  auth.ask(authRequests.signIn, { email, password, secondFactor });

/** The code of now, or of so many steps later. */
function codeOf(secret: string, steps = 0): string {
  return new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: Date.now() + steps * 30_000 });
}

/** A user with a second factor whose next code is that of the next step: the present one was used to confirm it. */
async function withSecondFactor(): Promise<{ user: Person; secret: string; recoveryCodes: readonly string[] }> {
  const user = await newUser();
  const { secret } = await begin(user);
  const { recoveryCodes } = await confirm(user, codeOf(secret));
  return { user, secret, recoveryCodes };
}

describe('a second factor', () => {
  it('counts from its confirmation by a first code on; then the password alone is not enough, and says so', async () => {
    const user = await newUser();
    const { secret, uri } = await begin(user);
    expect(uri).toContain(`secret=${secret}`);
    await expect(signIn(user)).resolves.toBeDefined();
    expect(await refused(confirm(user, '000000'))).toBe('auth.second_factor_wrong');
    const { recoveryCodes } = await confirm(user, codeOf(secret));
    expect(new Set(recoveryCodes).size).toBe(10);
    const { code, path } = await auth.refusal(signIn(user));
    expect([code, path]).toEqual(['auth.second_factor_required', ['secondFactor']]);
    await expect(signIn(user, codeOf(secret, 1))).resolves.toBeDefined();
  });

  it('is named in the app by the address of its user, as it is kept', async () => {
    const user = await auth.createUser(await auth.admin(), { email: 'Weiß@example.com' });
    const { uri } = await begin(user);
    expect(decodeURIComponent(new URL(uri).pathname)).toMatch(/:weiß@example\.com$/);
  });

  it('takes each code once, also of those who come with it at the same moment, and none of a step before', async () => {
    const { user, secret } = await withSecondFactor();
    const code = codeOf(secret, 1);
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => signIn(user, code)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await refused(signIn(user, code))).toBe('auth.second_factor_wrong');
    expect(await refused(signIn(user, codeOf(secret)))).toBe('auth.second_factor_wrong');
  });

  it('takes each recovery code once, however it is typed', async () => {
    const { user, recoveryCodes } = await withSecondFactor();
    const [first = '', second = ''] = recoveryCodes;
    await expect(signIn(user, first)).resolves.toBeDefined();
    expect(await refused(signIn(user, first))).toBe('auth.second_factor_wrong');
    await expect(signIn(user, ` ${second.toUpperCase().replaceAll('-', ' ')}`)).resolves.toBeDefined();
  });

  it('is throttled with the password: who knows the one guesses the other no longer than that', async () => {
    const { user, secret } = await withSecondFactor();
    for (let guess = 0; guess < 10; guess += 1) {
      // What is missing is no guess.
      expect(await refused(signIn(user))).toBe('auth.second_factor_required');
      expect(await refused(signIn(user, 'not a code'))).toBe('auth.second_factor_wrong');
    }
    expect(await refused(signIn(user, codeOf(secret, 1)))).toBe('auth.throttled');
  });

  it('is nothing that anybody learns of without the password', async () => {
    const { user } = await withSecondFactor();
    const { code, publicMessage } = await auth.refusal(signIn({ ...user, password: 'wrong wrong wrong' }, '123456'));
    expect([code, publicMessage]).toEqual([
      'auth.credentials_wrong',
      'The address, the password or the workspace is wrong.',
    ]);
  });

  it('is not set up twice, nor by one who has not the password', async () => {
    const { user } = await withSecondFactor();
    expect(await refused(begin(user))).toBe('entity.conflict');
    expect(await refused(begin({ ...user, password: 'wrong wrong wrong' }))).toBe('auth.credentials_wrong');
  });

  it('is removed by its user with a code of it, and by nobody with the password alone', async () => {
    const { user, recoveryCodes } = await withSecondFactor();
    const { email, password } = user;
    const remove = (secondFactor?: string) =>
      auth.ask(accountRequests.removeSecondFactor, { proof: { email, password, secondFactor } });
    expect(await refused(remove())).toBe('auth.second_factor_required');
    await remove(recoveryCodes[0]);
    await expect(signIn(user)).resolves.toBeDefined();
  });

  it('is reset by an administrator, and by no other', async () => {
    const { user } = await withSecondFactor();
    const reset = { userId: user.id };
    const other = await auth.as((await auth.signIn(await newUser())).accessToken);
    expect(await refused(auth.ask(accountRequests.resetUserSecondFactor, reset, other))).toBe('auth.forbidden');
    await auth.ask(accountRequests.resetUserSecondFactor, reset, await auth.admin());
    await expect(signIn(user)).resolves.toBeDefined();
  });

  it('is stored sealed, and worth nothing in the row of another user', async () => {
    const [mine, other] = [await withSecondFactor(), await withSecondFactor()];
    const rows = await auth.database.query<{ text: string }[]>(
      `select t::text as text from auth.second_factor t union all select t::text from auth.recovery_code t`,
    );
    for (const { text } of rows) {
      for (const secret of [mine.secret, ...mine.recoveryCodes]) expect(text).not.toContain(secret);
    }
    await auth.database.query(
      `update auth.second_factor set last_step = 0, sealed_secret =
         (select sealed_secret from auth.second_factor where user_id = $1) where user_id = $2`,
      [mine.user.id, other.user.id],
    );
    expect(await refused(signIn(other.user, codeOf(mine.secret, 1)))).toBe('secret.unreadable');
  });
});

describe('a workspace that asks for a second factor', () => {
  it('lets nobody in by password alone, and tells who has none to set one up, which needs no session', async () => {
    const user = await newUser();
    const admin = await auth.admin();
    const require = (secondFactorRequired: boolean) =>
      auth.ask(accountRequests.updateSignInRules, { secondFactorRequired }, admin);
    await require(true);
    try {
      expect(await refused(signIn(user))).toBe('auth.second_factor_setup_required');
      const { secret } = await begin(user);
      expect(await refused(signIn(user, codeOf(secret)))).toBe('auth.second_factor_setup_required');
      await confirm(user, codeOf(secret));
      await expect(signIn(user, codeOf(secret, 1))).resolves.toBeDefined();
    } finally {
      await require(false);
    }
  });

  it('is made so by those alone who manage it', async () => {
    const other = await auth.as((await auth.signIn(await newUser())).accessToken);
    const input = { secondFactorRequired: true };
    expect(await refused(auth.ask(accountRequests.updateSignInRules, input, other))).toBe('auth.forbidden');
    expect(await auth.ask(accountRequests.getSignInRules, {}, other)).toEqual({ secondFactorRequired: false });
  });
});
