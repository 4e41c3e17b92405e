import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authRequests } from '#libs/contracts';
import { TokenVerifier } from '#libs/identity';
import { startPostgres, until, type PostgresServer } from '#libs/testing';
import { administrator, AuthHarness, workspaceSlug } from '../../test/auth-harness.js';

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

const refusal = (work: Promise<unknown>) => auth.refusal(work);

/** Moves the use of every refresh token into the past, as waiting would. */
async function passGrace(): Promise<void> {
  await auth.database.query(`update auth.refresh_token set used_at = used_at - interval '1 minute'`);
}

const verify = (token: string) => auth.get(TokenVerifier).verify(token);

describe('signing in', () => {
  it('gives a token that says who and what one is, and lives for 300 s', async () => {
    const { accessToken, expiresAt } = await auth.signIn(administrator);
    const principal = await verify(accessToken);
    expect(principal.permissions.has('user.manage')).toBe(true);
    expect(principal.sessionId).toMatch(/^ses_/);
    const livesMs = principal.expiresAt.getTime() - principal.issuedAt.getTime();
    expect(livesMs).toBe(300_000);
    expect(expiresAt).toEqual(principal.expiresAt);
  });

  it('takes the address in any case and with spaces around it', async () => {
    await expect(auth.signIn({ ...administrator, email: ' ADMIN@Example.COM ' })).resolves.toBeDefined();
  });

  it('enumeration: answers a wrong password, an unknown address, a disabled user and one without password with the same words', async () => {
    const admin = await auth.admin();
    const disabled = await auth.createUser(admin, {});
    await auth.ask(
      authRequests.updateUser,
      { id: disabled.id, version: disabled.version, disabled: true, cleared: [] },
      admin,
    );
    await auth.ask(
      authRequests.createUser,
      { email: 'nopassword@example.com', name: 'N', roleNames: [], groupNames: [] },
      admin,
    );
    const attempts = [
      { ...administrator, password: 'wrong wrong wrong' },
      { ...administrator, email: 'nobody@example.com' },
      { ...administrator, email: 'not an address\0' },
      { ...administrator, workspace: 'no-such-workspace' },
      { ...administrator, workspace: 'no such\0' },
      { ...administrator, password: 'x'.repeat(5_000) },
      { email: 'nopassword@example.com', password: '' },
      disabled,
    ];
    for (const attempt of attempts) {
      const { code, publicMessage, path } = await refusal(auth.signIn(attempt));
      expect({ code, publicMessage, path }).toEqual({
        code: 'auth.credentials_wrong',
        publicMessage: 'The address, the password or the workspace is wrong.',
        path: [],
      });
    }
  });

  it('enumeration: takes as long for an unknown address as for a known one, and for one who is disabled', async () => {
    const timed = async (email: string): Promise<number> => {
      const begun = performance.now();
      await refusal(auth.signIn({ email, password: 'wrong wrong wrong' }));
      return performance.now() - begun;
    };
    const known: number[] = [];
    const unknown: number[] = [];
    const disabled: number[] = [];
    const admin = await auth.admin();
    const [user, leaver] = [await auth.createUser(admin, {}), await auth.createUser(admin, {})];
    const change = { id: leaver.id, version: leaver.version, disabled: true, cleared: [] };
    await auth.ask(authRequests.updateUser, change, admin);
    for (let round = 0; round < 8; round += 1) {
      known.push(await timed(user.email));
      unknown.push(await timed(`nobody-${round}@example.com`));
      disabled.push(await timed(leaver.email));
    }
    // Without the hash an answer comes in a tenth of the time; what else the machine does makes some slower, and none faster.
    const fastest = Math.min(...known);
    expect(Math.min(...unknown)).toBeGreaterThan(fastest * 0.5);
    expect(Math.min(...disabled)).toBeGreaterThan(fastest * 0.5);
    expect(fastest).toBeGreaterThan(Math.min(...unknown) * 0.5);
  });

  it('stops one address after 10 failures, known or not, and says how long to wait; the right password does not help', async () => {
    const user = await auth.createUser(await auth.admin(), {});
    for (const email of [user.email, 'guess@example.com']) {
      for (let attempt = 0; attempt < 10; attempt += 1) {
        expect((await refusal(auth.signIn({ email, password: 'wrong' }))).code).toBe('auth.credentials_wrong');
      }
      const stopped = await refusal(auth.signIn({ email, password: user.password }));
      expect(stopped.code).toBe('auth.throttled');
      expect(stopped.retryAfterSeconds).toBeGreaterThan(200);
      expect(stopped.retryAfterSeconds).toBeLessThanOrEqual(300);
    }
    await auth.database.query(`update auth.sign_in_failure set window_ends_at = now() - interval '1 second'`);
    await expect(auth.signIn(user)).resolves.toBeDefined();
  });

  it('lets a burst of guesses gain no more than the few that are checked at once', async () => {
    const user = await auth.createUser(await auth.admin(), {});
    const codes = await Promise.all(
      Array.from({ length: 40 }, async () => (await refusal(auth.signIn({ ...user, password: 'wrong' }))).code),
    );
    expect(codes.filter((code) => code === 'auth.credentials_wrong').length).toBeLessThanOrEqual(12);
  });

  it('forgets the failures of who then signs in', async () => {
    const user = await auth.createUser(await auth.admin(), {});
    for (let round = 0; round < 3; round += 1) {
      for (let attempt = 0; attempt < 9; attempt += 1) await refusal(auth.signIn({ ...user, password: 'wrong' }));
      await expect(auth.signIn(user)).resolves.toBeDefined();
    }
  });

  it('forgets no failures for who has the same address in another workspace', async () => {
    const user = await auth.createUser(await auth.admin(), {});
    const other = await addWorkspace('twin', user.email);
    // As an administrator of the other workspace sets it.
    await auth.database.query(
      `update auth.user_account set password_hash = (select password_hash from auth.user_account u
         where u.email = $1 and u.workspace_id <> $2) where workspace_id = $2`,
      [administrator.email, other],
    );
    const twin = { email: user.email, password: administrator.password, workspace: 'twin' };
    const guess = () => refusal(auth.signIn({ ...user, password: 'wrong', workspace: workspaceSlug }));
    for (let round = 0; round < 2; round += 1) {
      for (let attempt = 0; attempt < 5; attempt += 1) expect((await guess()).code).toBe('auth.credentials_wrong');
      await expect(auth.signIn(twin)).resolves.toBeDefined();
    }
    expect((await guess()).code).toBe('auth.throttled');
    await auth.database.query(`delete from auth.user_account where workspace_id = $1`, [other]);
  });

  it.each([
    ['jose@example.com', 'jóse@example.com'],
    ['andré@example.com', 'andre@example.com'],
  ])('forgets no failures of %s for %s, whom a directory may take for the same', async (email, similar) => {
    const admin = await auth.admin();
    const victim = await auth.createUser(admin, { email });
    const guesser = await auth.createUser(admin, { email: similar });
    const guess = () => refusal(auth.signIn({ ...victim, password: 'wrong' }));
    for (let attempt = 0; attempt < 5; attempt += 1) expect((await guess()).code).toBe('auth.credentials_wrong');
    await refusal(auth.signIn({ ...guesser, password: 'wrong' }));
    await expect(auth.signIn(guesser)).resolves.toBeDefined();
    for (let attempt = 0; attempt < 5; attempt += 1) expect((await guess()).code).toBe('auth.credentials_wrong');
    expect((await guess()).code).toBe('auth.throttled');
  });

  it('forgets no failures for such a similar address in another workspace, where none is named', async () => {
    const victim = await auth.createUser(await auth.admin(), { email: 'zoe@example.com' });
    const other = await addWorkspace('similar', administrator.email);
    await auth.database.query(`update auth.user_account set email = 'zoé@example.com' where workspace_id = $1`, [
      other,
    ]);
    const guess = () => refusal(auth.signIn({ ...victim, password: 'wrong' }));
    for (let attempt = 0; attempt < 5; attempt += 1) await guess();
    await expect(auth.signIn({ ...administrator, email: 'zoé@example.com' })).resolves.toBeDefined();
    for (let attempt = 0; attempt < 5; attempt += 1) await guess();
    expect((await guess()).code).toBe('auth.throttled');
    await auth.database.query(`delete from auth.user_account where workspace_id = $1`, [other]);
  });

  it('stops one network after failures over many addresses; a whole /64 is one network', async () => {
    const few = await AuthHarness.start(await server.createDatabase(), {
      SLUICE_AUTH_SIGN_IN_ADDRESS_FAILURES_MAX: '5',
    });
    try {
      for (let index = 0; index < 5; index += 1) {
        const attempt = {
          email: `spray-${index}@example.com`,
          password: 'wrong',
          clientAddress: `2001:db8:1:2::${index}`,
        };
        expect((await refusal(few.signIn(attempt))).code).toBe('auth.credentials_wrong');
      }
      const sameNetwork = few.signIn({ ...administrator, clientAddress: '2001:db8:1:2:ffff::1' });
      expect((await refusal(sameNetwork)).code).toBe('auth.throttled');
      await expect(few.signIn({ ...administrator, clientAddress: '2001:db8:1:3::1' })).resolves.toBeDefined();
    } finally {
      await few.stop();
    }
  });

  it('never hashes on the thread of the event loop', async () => {
    const [ofAll, ofThread] = [process.cpuUsage(), process.threadCpuUsage()];
    await Promise.all(Array.from({ length: 8 }, () => auth.signIn(administrator)));
    const all = process.cpuUsage(ofAll);
    const thread = process.threadCpuUsage(ofThread);
    // The hashes are nearly all of the work.
    expect(thread.user).toBeLessThan(all.user / 2);
  });

  it('asks for the workspace where the password is right and the address is known in several', async () => {
    const other = await addWorkspace('second', administrator.email);
    const { code, path } = await refusal(auth.signIn(administrator));
    expect({ code, path }).toEqual({ code: 'input.invalid', path: ['workspace'] });
    const { accessToken } = await auth.signIn({ ...administrator, workspace: workspaceSlug });
    expect(decodeJwt(accessToken)['wsp']).not.toBe(other);
    expect((await refusal(auth.signIn({ ...administrator, password: 'wrong' }))).code).toBe('auth.credentials_wrong');
    await auth.database.query(`delete from auth.user_account where workspace_id = $1`, [other]);
  });

  it('keeps no password and no token in the database', async () => {
    const { accessToken, refreshToken } = await auth.signIn(administrator);
    const tables = await auth.database.query<{ name: string }[]>(
      `select format('auth.%I', tablename) as name from pg_tables where schemaname = 'auth'`,
    );
    for (const { name } of tables) {
      for (const secret of [accessToken, refreshToken, refreshToken.slice(4), administrator.password]) {
        const [found] = await auth.database.query<{ count: string }[]>(
          `select count(*) from ${name} t where position($1 in t::text) > 0`,
          [secret],
        );
        expect([name, found?.count]).toEqual([name, '0']);
      }
    }
    const hashes = await auth.database.query<{ hash: string }[]>(
      `select password_hash as hash from auth.user_account where password_hash is not null`,
    );
    for (const { hash } of hashes) expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,(t=2,p=1|p=1,t=2)\$/);
  });
});

describe('refreshing', () => {
  it('rotates the token: each pair works, and the rights are those of now', async () => {
    const admin = await auth.admin();
    const user = await auth.createUser(admin, { roleNames: ['viewer'] });
    const first = await auth.signIn(user);
    await auth.ask(
      authRequests.updateUser,
      { id: user.id, version: user.version, roleNames: { values: ['editor'] }, cleared: [] },
      admin,
    );
    const second = await auth.refresh(first.refreshToken);
    expect(second.refreshToken).not.toBe(first.refreshToken);
    expect((await verify(second.accessToken)).permissions.has('execution.read')).toBe(true);
    const third = await auth.refresh(second.refreshToken);
    expect((await verify(third.accessToken)).sessionId).toBe((await verify(second.accessToken)).sessionId);
  });

  it('refresh reuse: an old token again ends the whole family: neither holder has a session any more', async () => {
    const first = await auth.signIn(administrator);
    const second = await auth.refresh(first.refreshToken);
    const third = await auth.refresh(second.refreshToken);
    expect((await refusal(auth.refresh(first.refreshToken))).code).toBe('auth.unauthenticated');
    expect((await refusal(auth.refresh(third.refreshToken))).code).toBe('auth.unauthenticated');
    await until(async () => (await refusal(verify(third.accessToken))).code === 'auth.token_revoked');
  });

  it('of a token that was used some time ago ends the family even where its successor was never used', async () => {
    const first = await auth.signIn(administrator);
    const second = await auth.refresh(first.refreshToken);
    await passGrace();
    expect((await refusal(auth.refresh(first.refreshToken))).code).toBe('auth.unauthenticated');
    expect((await refusal(auth.refresh(second.refreshToken))).code).toBe('auth.unauthenticated');
  });

  it('whose answer was lost can be repeated at once, and gives the same successor', async () => {
    const first = await auth.signIn(administrator);
    const lost = await auth.refresh(first.refreshToken);
    const repeated = await auth.refresh(first.refreshToken);
    expect(repeated.refreshToken).toBe(lost.refreshToken);
    await expect(auth.refresh(repeated.refreshToken)).resolves.toBeDefined();
  });

  it('concurrent refresh: 20 times at once gives one successor, and leaves the session whole', async () => {
    const first = await auth.signIn(administrator);
    const all = await Promise.all(Array.from({ length: 20 }, () => auth.refresh(first.refreshToken)));
    expect(new Set(all.map(({ refreshToken }) => refreshToken)).size).toBe(1);
    await expect(auth.refresh(all[0]?.refreshToken ?? '')).resolves.toBeDefined();
  });

  it.each(['', 'made-up', `slr_${'A'.repeat(43)}`, `slr_${'A'.repeat(43)}\0`, 'x'.repeat(100_000)])(
    'of a made-up token is refused',
    async (token) => {
      expect((await refusal(auth.refresh(token))).code).toBe('auth.unauthenticated');
    },
  );

  it('is refused when the session or the token has expired', async () => {
    const idle = await auth.signIn(administrator);
    const old = await auth.signIn(administrator);
    const sessionOf = async (token: string) => (await verify(token)).sessionId;
    await auth.database.query(`update auth.refresh_token set expires_at = now() where session_id = $1`, [
      await sessionOf(idle.accessToken),
    ]);
    await auth.database.query(`update auth.session set expires_at = now() where id = $1`, [
      await sessionOf(old.accessToken),
    ]);
    expect((await refusal(auth.refresh(idle.refreshToken))).code).toBe('auth.unauthenticated');
    expect((await refusal(auth.refresh(old.refreshToken))).code).toBe('auth.unauthenticated');
  });
});

describe('signing out', () => {
  it('ends this session and no other', async () => {
    const [mine, other] = await Promise.all([auth.signIn(administrator), auth.signIn(administrator)]);
    await auth.ask(authRequests.signOut, {}, await auth.as(mine.accessToken));
    expect((await refusal(auth.refresh(mine.refreshToken))).code).toBe('auth.unauthenticated');
    await until(async () => (await refusal(verify(mine.accessToken))).code === 'auth.token_revoked');
    await expect(verify(other.accessToken)).resolves.toBeDefined();
    await expect(auth.refresh(other.refreshToken)).resolves.toBeDefined();
  });
});

/** A second workspace with a user of this address and the administrator's password. */
async function addWorkspace(slug: string, email: string): Promise<string> {
  const id = `wsp_${'2'.repeat(26)}`;
  await auth.database.query(
    `insert into auth.workspace (id, slug, name, master_key_id, wrapped_key) values ($1, $2, $2, 'k1', '\\x00')
     on conflict (id) do update set slug = excluded.slug`,
    [id, slug],
  );
  await auth.database.query(
    `insert into auth.user_account (id, workspace_id, email, name, name_key, password_hash, role_names)
     select $1, $2, email, 'Twin', 'twin', password_hash, role_names from auth.user_account where email = $3`,
    [`usr_${'2'.repeat(26)}`, id, email],
  );
  return id;
}

describe('acting for a user who is not there', () => {
  const actFor = async (userId: string, workspaceId?: string) => {
    const own = (await auth.admin()).workspaceId;
    return auth.askAsService(authRequests.actFor, { workspaceId: workspaceId ?? own, userId }, 'orchestrator');
  };

  it('gives a short token with the user’s groups, good for running saved queries alone', async () => {
    const user = await auth.createUser(await auth.admin(), { roleNames: ['admin'], groupNames: ['emea'] });
    const principal = await verify((await actFor(user.id)).accessToken);
    expect(principal).toMatchObject({ userId: user.id, groups: ['emea'] });
    expect([...principal.permissions]).toEqual(['saved_query.run']);
    expect(principal.expiresAt.getTime() - principal.issuedAt.getTime()).toBe(60_000);
  });

  it('gives no right that the user has not', async () => {
    const user = await auth.createUser(await auth.admin(), { roleNames: ['viewer'] });
    const principal = await verify((await actFor(user.id)).accessToken);
    expect([...principal.permissions]).toEqual(['saved_query.run']);
  });

  it('is refused for who is disabled, unknown or of another workspace', async () => {
    const user = await auth.createUser(await auth.admin(), {});
    expect((await refusal(actFor(user.id, 'wsp_other'))).code).toBe('auth.user_not_found');
    expect((await refusal(actFor('usr_unknown'))).code).toBe('auth.user_not_found');
    await auth.ask(
      authRequests.updateUser,
      { id: user.id, version: user.version, disabled: true, cleared: [] },
      await auth.admin(),
    );
    expect((await refusal(actFor(user.id))).code).toBe('auth.user_not_found');
  });

  it('is refused to everybody but the orchestrator', async () => {
    const input = { workspaceId: 'wsp_1', userId: 'usr_1' };
    expect((await refusal(auth.ask(authRequests.actFor, input, await auth.admin()))).code).toBe('auth.forbidden');
    expect((await refusal(auth.askAsService(authRequests.actFor, input, 'gateway'))).code).toBe('auth.forbidden');
  });
});
