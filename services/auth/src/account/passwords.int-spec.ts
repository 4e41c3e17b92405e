import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accountRequests, authRequests, serviceAccountRequests } from '#libs/contracts';
import { TokenVerifier } from '#libs/identity';
import { newId } from '#libs/kernel';
import { startPostgres, until, type PostgresServer } from '#libs/testing';
import { administrator, AuthHarness, workspaceSlug } from '../../test/auth-harness.js';
import { MailServer } from '../../test/mail-server.js';

const accountUrl = 'https://app.example.com/account';
const newPassword = 'another horse battery';

let server: PostgresServer;
let databaseUrl: string;
let mail: MailServer;
let auth: AuthHarness;
beforeAll(async () => {
  server = await startPostgres();
  databaseUrl = await server.createDatabase();
  mail = await MailServer.start();
  auth = await AuthHarness.start(databaseUrl, mailSettings());
});
afterAll(async () => {
  await auth.stop();
  await mail.stop();
  await server.stop();
});

const mailSettings = () => ({
  SLUICE_AUTH_SMTP_URL: mail.url,
  SLUICE_AUTH_MAIL_FROM: 'Sluice <sluice@example.com>',
  SLUICE_AUTH_ACCOUNT_URL: accountUrl,
});

const refused = async (work: Promise<unknown>) => (await auth.refusal(work)).code;
const requestReset = (email: string, workspace?: string) =>
  auth.ask(accountRequests.requestPasswordReset, { email, workspace });
const resetPassword = (token: string, password = newPassword) =>
  auth.ask(accountRequests.resetPassword, { token, password });
const acceptInvitation = (token: string, password = newPassword) =>
  auth.ask(accountRequests.acceptInvitation, { token, password });
const invite = async (email: string, to: AuthHarness = auth) =>
  to.ask(authRequests.createUser, { email, name: 'N', roleNames: ['viewer'], groupNames: [] }, await to.admin());

/** The token in the last mail to an address, of so many mails at least. */
async function tokenSentTo(email: string, count = 1): Promise<string> {
  await until(() => mail.sentTo(email).length >= count, { what: `a mail to ${email}` });
  return tokenIn(mail.sentTo(email).at(-1) ?? '');
}

function tokenIn(text: string): string {
  const [, token] = /https:\/\/app\.example\.com\/account#(?:reset|invitation)=(slp_[\w-]+)/.exec(text) ?? [];
  if (token === undefined) throw new Error(`no link in: ${text}`);
  return token;
}

/** Statements of the sender that stand before the row of a user whom somebody else is changing. */
const mailsWaitingForTheirUser = async () => {
  const waiting = await auth.database.query<unknown[]>(
    `select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
  );
  return waiting.length;
};

const mailsLeft = async () => (await auth.database.query<unknown[]>(`select 1 from auth.mail`)).length;

describe('a changed password', () => {
  it('needs the old one, and ends all sessions but the one that asked', async () => {
    const user = await auth.createUser(await auth.admin(), {});
    const [mine, other] = [await auth.signIn(user), await auth.signIn(user)];
    const context = await auth.as(mine.accessToken);
    const change = (currentPassword: string, to = newPassword) =>
      auth.ask(accountRequests.changePassword, { currentPassword, newPassword: to }, context);
    expect(await refused(change('wrong wrong wrong'))).toBe('auth.credentials_wrong');
    expect(await refused(change(user.password, 'short'))).toBe('input.invalid');
    await change(user.password);
    expect(await refused(auth.refresh(other.refreshToken))).toBe('auth.unauthenticated');
    await until(
      async () => (await refused(auth.get(TokenVerifier).verify(other.accessToken))) === 'auth.token_revoked',
    );
    await expect(auth.refresh(mine.refreshToken)).resolves.toBeDefined();
    expect(await refused(auth.signIn(user))).toBe('auth.credentials_wrong');
    await expect(auth.signIn({ ...user, password: newPassword })).resolves.toBeDefined();
  });

  it('is told to its owner by mail, however it was changed, and never with the password', async () => {
    const user = await auth.createUser(await auth.admin(), {});
    const changed = (): string[] => mail.sentTo(user.email).filter((text) => text.includes('was changed'));
    const context = await auth.as((await auth.signIn(user)).accessToken);
    const change = { currentPassword: user.password, newPassword, clientAddress: '203.0.113.9' };
    await auth.ask(accountRequests.changePassword, change, context);
    await until(() => changed().length === 1, { what: 'the mail of the change' });
    expect(changed()[0]).not.toContain(newPassword);
    await requestReset(user.email);
    await until(() => mail.sentTo(user.email).length === 2, { what: 'the mail with the link' });
    await resetPassword(await tokenSentTo(user.email, 2));
    await until(() => changed().length === 2, { what: 'the mail of the reset' });
  });

  it('is guessed at no longer than at sign-in', async () => {
    const user = await auth.createUser(await auth.admin(), {});
    const context = await auth.as((await auth.signIn(user)).accessToken);
    const change = (currentPassword: string) =>
      auth.ask(accountRequests.changePassword, { currentPassword, newPassword }, context);
    for (let guess = 0; guess < 10; guess += 1) await auth.refusal(change('wrong wrong wrong'));
    expect(await refused(change(user.password))).toBe('auth.throttled');
    expect(await refused(auth.signIn({ ...user, workspace: workspaceSlug }))).toBe('auth.throttled');
  });
});

describe('a password reset', () => {
  it('comes by mail, sets a password once and ends all sessions', async () => {
    const user = await auth.createUser(await auth.admin(), {});
    const session = await auth.signIn(user);
    await requestReset(` ${user.email.toUpperCase()} `);
    const token = await tokenSentTo(user.email);
    expect(await refused(resetPassword(token, 'short'))).toBe('input.invalid');
    const outcomes = await Promise.allSettled([resetPassword(token), resetPassword(token)]);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await refused(resetPassword(token))).toBe('auth.password_token_wrong');
    expect(await refused(auth.refresh(session.refreshToken))).toBe('auth.unauthenticated');
    await expect(auth.signIn({ ...user, password: newPassword })).resolves.toBeDefined();
  });

  it('has a token that is good for this alone, until a new one comes or its time is over', async () => {
    const user = await auth.createUser(await auth.admin(), {});
    await requestReset(user.email);
    const first = await tokenSentTo(user.email);
    expect(await refused(acceptInvitation(first))).toBe('auth.password_token_wrong');
    await requestReset(user.email);
    const second = await tokenSentTo(user.email, 2);
    expect(await refused(resetPassword(first))).toBe('auth.password_token_wrong');
    await auth.database.query(`update auth.password_token set expires_at = now() where user_id = $1`, [user.id]);
    expect(await refused(resetPassword(second))).toBe('auth.password_token_wrong');
    expect(await refused(resetPassword('slp_made-up'))).toBe('auth.password_token_wrong');
  });

  it('enumeration: asking answers the same in the same way, and looks nobody up, for an address known or not', async () => {
    const user = await auth.createUser(await auth.admin(), {});
    for (const email of [user.email, 'nobody@example.com', 'not an address']) {
      expect(await requestReset(email)).toEqual({});
    }
    await tokenSentTo(user.email);
    await until(async () => (await mailsLeft()) === 0);
    expect(mail.sentTo('nobody@example.com')).toEqual([]);
  });

  it('is not sent to who is disabled, nor to who never had a password', async () => {
    const admin = await auth.admin();
    const user = await auth.createUser(admin, {});
    const change = { id: user.id, version: user.version, disabled: true, cleared: [] };
    await auth.ask(authRequests.updateUser, change, admin);
    await invite('invited@example.com');
    await tokenSentTo('invited@example.com');
    await requestReset(user.email);
    await requestReset('invited@example.com');
    await until(async () => (await mailsLeft()) === 0);
    expect([mail.sentTo(user.email).length, mail.sentTo('invited@example.com').length]).toEqual([0, 1]);
  });

  it('is asked for five times an hour for one address, known or not', async () => {
    const user = await auth.createUser(await auth.admin(), {});
    for (const email of [user.email, 'nobody-else@example.com']) {
      for (let asked = 0; asked < 5; asked += 1) await requestReset(email);
      expect(await refused(requestReset(email))).toBe('auth.throttled');
    }
  });

  it('is limited for those too who ask at the same moment, and who is stopped by the network uses up no address', async () => {
    const few = await AuthHarness.start(await server.createDatabase(), {
      SLUICE_AUTH_SIGN_IN_ADDRESS_FAILURES_MAX: '6',
    });
    const ask = (email: string, clientAddress?: string) =>
      few.ask(accountRequests.requestPasswordReset, { email, clientAddress });
    const burst = async (clientAddress?: string) => {
      const asked = Array.from({ length: 40 }, () => ask('burst@example.com', clientAddress));
      return (await Promise.allSettled(asked)).filter(({ status }) => status === 'fulfilled').length;
    };
    try {
      expect(await burst()).toBe(5);
      for (let asked = 0; asked < 6; asked += 1) await ask(`other-${asked}@example.com`, '203.0.113.8');
      for (let asked = 0; asked < 6; asked += 1) {
        expect((await few.refusal(ask('ann@example.com', '203.0.113.8'))).code).toBe('auth.throttled');
      }
      await expect(ask('ann@example.com', '203.0.113.9')).resolves.toBeDefined();
    } finally {
      await few.stop();
    }
  });

  it('leaves a second factor as it is', async () => {
    const user = await auth.createUser(await auth.admin(), {});
    await auth.database.query(
      `insert into auth.second_factor (user_id, workspace_id, sealed_secret, confirmed_at)
       select id, workspace_id, 'k1:x:x', now() from auth.user_account where id = $1`,
      [user.id],
    );
    await requestReset(user.email);
    await resetPassword(await tokenSentTo(user.email));
    expect(await refused(auth.signIn({ ...user, password: newPassword }))).toBe('auth.second_factor_required');
  });
});

describe('help for another user', () => {
  it.each(['inviteUser', 'resetUserPassword', 'resetUserSecondFactor', 'revokeUserSessions'] as const)(
    '%s tells a user who is not there at userId',
    async (request) => {
      const asked = auth.ask(accountRequests[request], { userId: 'usr_gone' }, await auth.admin());
      expect(await auth.refusal(asked)).toMatchObject({ code: 'auth.user_not_found', path: ['userId'] });
    },
  );
});

describe('an invitation', () => {
  it('is sent to who is made without a password, who sets one by it once', async () => {
    const { user, invitationUrl } = await invite('new@example.com');
    expect(invitationUrl).toBeUndefined();
    const token = await tokenSentTo('new@example.com');
    expect(await refused(resetPassword(token))).toBe('auth.password_token_wrong');
    await acceptInvitation(token);
    expect(await refused(acceptInvitation(token))).toBe('auth.password_token_wrong');
    await expect(auth.signIn({ email: 'new@example.com', password: newPassword })).resolves.toBeDefined();
    const again = auth.ask(accountRequests.inviteUser, { userId: user?.id ?? '' }, await auth.admin());
    expect(await refused(again)).toBe('entity.conflict');
  });

  it('is given to the administrator once where no mail is sent, and so is a reset; a new link ends the one before', async () => {
    // Others may still have one to come.
    await until(async () => (await mailsLeft()) === 0);
    const silent = await AuthHarness.start(databaseUrl, { SLUICE_AUTH_ACCOUNT_URL: accountUrl });
    try {
      const { user, invitationUrl = '' } = await invite('silent@example.com', silent);
      const admin = await silent.admin();
      const userId = user?.id ?? '';
      const { url = '' } = await silent.ask(accountRequests.inviteUser, { userId }, admin);
      expect(await refused(acceptInvitation(tokenIn(invitationUrl)))).toBe('auth.password_token_wrong');
      await acceptInvitation(tokenIn(url));
      const reset = await silent.ask(accountRequests.resetUserPassword, { userId }, admin);
      await resetPassword(tokenIn(reset.url ?? ''), 'a third horse battery');
      await expect(
        auth.signIn({ email: 'silent@example.com', password: 'a third horse battery' }),
      ).resolves.toBeDefined();
      // The service beside it, which has mail, tells of the passwords that were changed by it.
      await until(async () => (await mailsLeft()) === 0);
      // Asking is answered as ever, and nothing waits to be sent.
      expect(await silent.ask(accountRequests.requestPasswordReset, { email: 'silent@example.com' })).toEqual({});
      expect(await mailsLeft()).toBe(0);
    } finally {
      await silent.stop();
    }
  });
});

describe('links to passwords', () => {
  it('that many administrators ask for at once take one connection each, and all come', async () => {
    const admin = await auth.admin();
    const users = await Promise.all(Array.from({ length: 24 }, (_, n) => invite(`bulk-${n}@example.com`)));
    const again = users.map(({ user }) => auth.ask(accountRequests.inviteUser, { userId: user?.id ?? '' }, admin));
    expect(await Promise.allSettled(again)).toEqual(again.map(() => ({ status: 'fulfilled', value: {} })));
    await until(async () => (await mailsLeft()) === 0, { timeoutMs: 20_000 });
  });

  it('go to the address that somebody has by then, where it is changed meanwhile', async () => {
    const { email: old, id } = await auth.createUser(await auth.admin(), {});
    const next = `next-${old}`;
    await auth.database.query(
      `insert into auth.mail (id, purpose, user_id, due_at) values ($1, 'RESET', $2, now() + interval '1 second')`,
      [newId('message'), id],
    );
    await auth.database.transaction(async (change) => {
      await change.query(`update auth.user_account set email = $2 where id = $1`, [id, next]);
      await change.query(`delete from auth.password_token where user_id = $1`, [id]);
      await until(async () => (await mailsWaitingForTheirUser()) === 1, { what: 'the mail to wait' });
    });
    await resetPassword(await tokenSentTo(next));
    expect(mail.sentTo(old)).toEqual([]);
  });

  it('are not for service accounts, which have no address', async () => {
    const { serviceAccount } = await auth.ask(
      serviceAccountRequests.createServiceAccount,
      { name: 'Robot', roleNames: ['viewer'], groupNames: [] },
      await auth.admin(),
    );
    const userId = serviceAccount?.id ?? '';
    for (const request of [accountRequests.inviteUser, accountRequests.resetUserPassword]) {
      expect(await refused(auth.ask(request, { userId }, await auth.admin()))).toBe('auth.user_not_found');
    }
  });

  it('from before single sign-on was enforced set none while it is', async () => {
    const { email } = await auth.createUser(await auth.admin(), {});
    await requestReset(email);
    const token = await tokenSentTo(email);
    const enforce = (is: boolean) => auth.database.query(`update auth.workspace set sso_enforced = $1`, [is]);
    await enforce(true);
    try {
      expect(await refused(resetPassword(token))).toBe('auth.password_token_wrong');
    } finally {
      await enforce(false);
    }
    await resetPassword(token);
  });
});

describe('mail', () => {
  it('that the server does not take is sent when it does; a request never waits for it', async () => {
    const user = await auth.createUser(await auth.admin(), {});
    mail.refuse(451);
    await requestReset(user.email);
    await until(async () => (await failures(user.id)) > 0);
    mail.accept();
    await auth.database.query(`update auth.mail set due_at = now()`);
    await resetPassword(await tokenSentTo(user.email));
  });

  it('that a lost process had claimed is sent by another when the lease is over', async () => {
    const user = await auth.createUser(await auth.admin(), {});
    // As a process leaves it that dies between claiming and sending.
    await auth.database.query(
      `insert into auth.mail (id, purpose, user_id, due_at) values ('msg_lost', 'RESET', $1, now() + interval '2 seconds')`,
      [user.id],
    );
    await until(async () => (await mailsLeft()) === 1);
    await tokenSentTo(user.email);
    await until(async () => (await mailsLeft()) === 0);
    expect(mail.sentTo(user.email)).toHaveLength(1);
  });

  it('to an address that the server refuses for good is given up', async () => {
    const user = await auth.createUser(await auth.admin(), {});
    mail.refuse(550);
    await requestReset(user.email);
    await until(async () => (await mailsLeft()) === 0);
    mail.accept();
    expect(mail.sentTo(user.email)).toEqual([]);
  });

  it('is sent once by several processes', async () => {
    const other = await AuthHarness.start(databaseUrl, mailSettings());
    try {
      const users = await Promise.all(
        Array.from({ length: 8 }, async (_, index) => invite(`crowd-${index}@example.com`)),
      );
      for (const { user } of users) await tokenSentTo(user?.email ?? '');
      await until(async () => (await mailsLeft()) === 0);
      for (const { user } of users) expect(mail.sentTo(user?.email ?? '')).toHaveLength(1);
    } finally {
      await other.stop();
    }
  });

  it('that a server takes ten seconds for holds no request up', async () => {
    mail.delay(1_500);
    const user = await auth.createUser(await auth.admin(), {});
    const begun = performance.now();
    await requestReset(user.email);
    expect(performance.now() - begun).toBeLessThan(1_000);
    await tokenSentTo(user.email);
    mail.delay(0);
  });

  it('has its token nowhere in the database', async () => {
    await requestReset(administrator.email);
    const token = await tokenSentTo(administrator.email);
    const tables = await auth.database.query<{ name: string }[]>(
      `select format('auth.%I', tablename) as name from pg_tables where schemaname = 'auth'`,
    );
    for (const { name } of tables) {
      const found = await auth.database.query<unknown[]>(`select 1 from ${name} t where position($1 in t::text) > 0`, [
        token.slice(4),
      ]);
      expect([name, found.length]).toEqual([name, 0]);
    }
  });
});

async function failures(userId: string): Promise<number> {
  const [row] = await auth.database.query<{ failures: number }[]>(`select failures from auth.mail where user_id = $1`, [
    userId,
  ]);
  return row?.failures ?? 0;
}
