import { Secret, TOTP } from 'otpauth';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  accountRequests,
  auditRecorded,
  authRequests,
  envelopeCodec,
  federationRequests,
  identityProviderRequests,
  type AuditEntry,
} from '#libs/contracts';
import { TokenVerifier } from '#libs/identity';
import { freePort, LdapServer, startPostgres, TcpProxy, until, type PostgresServer } from '#libs/testing';
import { administrator, AuthHarness, workspaceSlug } from '../../test/auth-harness.js';
import { createProvider } from '../../test/sso.js';
import { LdapDirectoryClient } from './ldap-directory.client.js';

const timeoutMs = 3_000;
let server: PostgresServer;
let directory: LdapServer;
let auth: AuthHarness;
beforeAll(async () => {
  [server, directory] = await Promise.all([startPostgres(), LdapServer.start()]);
  auth = await AuthHarness.start(await server.createDatabase(), {
    SLUICE_AUTH_PROVIDER_ALLOWED_NETWORKS: '127.0.0.0/8,::1/128',
    SLUICE_AUTH_PROVIDER_TIMEOUT_MS: String(timeoutMs),
    SLUICE_AUTH_SIGN_IN_FAILURES_MAX: '5',
    SLUICE_AUTH_SIGN_IN_ADDRESS_FAILURES_MAX: '6',
  });
  const { secureUrl: url, certificateAuthority, bindName, bindPassword, userBase, groupBase } = directory;
  await createProvider(auth, {
    kind: 'LDAP',
    name: 'Directory',
    options: {
      ...{ url, certificateAuthority, bindName, bindPassword, userBase, groupBase },
      userFilter: '(|(uid={login})(mail={login}))',
    },
    rules: { groups: { claim: 'groups', passThrough: true }, roles: { default: ['analyst'] } },
  });
});
afterAll(async () => {
  await Promise.all([auth.stop(), directory.stop()]);
  await server.stop();
});

const forget = () => auth.database.query(`delete from auth.sign_in_failure`);
/** The code of now, or of so many steps later. */
const codeOf = (secret: string, steps: number) =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: Date.now() + steps * 30_000 });
/** Failed sign-ins in the audit log that name a provider. */
async function failedAtProviders(): Promise<AuditEntry[]> {
  const rows = await auth.database.query<{ envelope: Buffer }[]>('select envelope from auth.outbox order by sequence');
  return rows
    .map(({ envelope }) => envelopeCodec.decode(envelope))
    .filter(({ type }) => type === auditRecorded.auth.type)
    .flatMap(({ payload }) => auditRecorded.auth.codec.decode(payload).entries)
    .filter(({ action, target }) => action === 'session.sign_in_failed' && target?.type === 'identity_provider');
}
const verify = (token: string) => auth.get(TokenVerifier).verify(token);

describe('signing in by a directory’s password', () => {
  it('makes the user at the first time, with groups and roles, and finds the same one by any login', async () => {
    const first = await auth.signIn({ email: 'ana', password: 'ana-password' });
    const again = await auth.signIn({ email: ' ANA@example.com ', password: 'ana-password', workspace: workspaceSlug });
    const [one, other] = await Promise.all([first, again].map(({ accessToken }) => verify(accessToken)));
    expect(one?.userId).toBe(other?.userId);
    expect([...(other?.groups ?? [])].toSorted()).toEqual(['analysts', 'europe']);
    await expect(auth.refresh(again.refreshToken)).resolves.toHaveProperty('accessToken');
  });

  it('leaves our own passwords as they are', async () => {
    await expect(auth.signIn(administrator)).resolves.toBeDefined();
  });

  it('no enumeration: a wrong password of a user of either kind and an unknown name get the same words after the same time', async () => {
    const attempts = ['ana', 'bob@example.com', 'nobody', 'nobody@example.com', administrator.email, 'a\u00adna', ''];
    const times: number[] = [];
    for (const email of attempts) {
      await forget();
      const begun = performance.now();
      const { code, publicMessage } = await auth.refusal(auth.signIn({ email, password: 'wrong wrong wrong' }));
      times.push(performance.now() - begun);
      expect([code, publicMessage]).toEqual([
        'auth.credentials_wrong',
        'The address, the password or the workspace is wrong.',
      ]);
    }
    // Longer than the directory ever takes, so how long that was does not show.
    expect(Math.min(...times)).toBeGreaterThan(990);
  }, 30_000);

  it('empty password: refused', async () => {
    await forget();
    expect((await auth.refusal(auth.signIn({ email: 'ana', password: '' }))).code).toBe('auth.credentials_wrong');
  });

  it('throttling: guesses at a directory’s user are limited by name and by address, side by side too; signing in is not counted', async () => {
    await forget();
    for (let time = 0; time < 8; time += 1) {
      await auth.signIn({ email: 'bob', password: 'bob-password', clientAddress: '203.0.113.9' });
    }
    const guess = (email: string, index: number) =>
      auth.refusal(auth.signIn({ email, password: `guess ${index}`, clientAddress: '203.0.113.9' }));
    // The same name to the directory is the same one to the throttle.
    const names = ['ana', 'ANA', ' ana ', 'Ana'];
    const burst = await Promise.all(Array.from({ length: 20 }, (_, index) => guess(names[index % 4] ?? '', index)));
    const wrong = burst.filter(({ code }) => code === 'auth.credentials_wrong').length;
    // Five, and the few that were checked at once.
    expect(wrong).toBeGreaterThanOrEqual(5);
    expect(wrong).toBeLessThanOrEqual(7);
    expect(burst.filter(({ code }) => code === 'auth.throttled')).toHaveLength(20 - wrong);
    expect((await guess('somebody else', 0)).code).toBe('auth.throttled');
    await forget();
  }, 30_000);

  it('throttling: all spellings of one address that a directory reads as one are counted as one', async () => {
    await forget();
    const spellings = [
      ...[
        'ana@example.com',
        'ANA@EXAMPLE.COM',
        ' ana@example.com\u3000',
        'ana@example\uff0ecom',
        'ana\uff20example.com',
      ],
      ...[
        '\uff41na@example.com',
        '\uff21NA@example.com',
        '\u00aana@example.com',
        'a\uff4ea@example.com',
        'an\u{1d41a}@example.com',
      ],
    ];
    expect(new Set(spellings).size).toBe(10);
    await Promise.all(spellings.map((email) => auth.refusal(auth.signIn({ email, password: 'a guess' }))));
    await expect(auth.database.query(`select 1 from auth.sign_in_failure where failures >= 5`)).resolves.toHaveLength(
      1,
    );
    const { code } = await auth.refusal(auth.signIn({ email: 'ana@example.com', password: 'ana-password' }));
    expect(code).toBe('auth.throttled');
    await forget();
  }, 30_000);

  it('throttling: who signs in by the directory clears what failed by his own name, and what is good for us alone clears no guess at it', async () => {
    await forget();
    const guess = async (email: string) =>
      (await auth.refusal(auth.signIn({ email, password: 'a guess', workspace: workspaceSlug }))).code;
    for (let time = 0; time < 4; time += 1) expect(await guess('bob')).toBe('auth.credentials_wrong');
    await auth.signIn({ email: 'bob', password: 'bob-password', workspace: workspaceSlug });
    // Of our own, with a name that Active Directory would take for another's.
    const own = await auth.createUser(await auth.admin(), { email: 'bób@example.com' });
    for (let time = 0; time < 4; time += 1) expect(await guess(own.email)).toBe('auth.credentials_wrong');
    await auth.signIn({ ...own, workspace: workspaceSlug });
    expect(await guess('bob')).toBe('auth.credentials_wrong');
    expect(await guess('bob@example.com')).toBe('auth.credentials_wrong');
    expect(await guess('bob@example.com')).toBe('auth.throttled');
    await forget();
  }, 30_000);

  it('skips no second factor: the directory’s password alone is not enough, and codes are guessed at no longer than it', async () => {
    await forget();
    await auth.signIn({ email: 'ana', password: 'ana-password' });
    // The factor is set up by a password of ours, as by one who had it before the directory was there.
    await auth.database.query(
      `update auth.user_account set password_hash = (select password_hash from auth.user_account where email = $1)
       where email = 'ana@example.com'`,
      [administrator.email],
    );
    const proof = { email: 'ana@example.com', password: administrator.password };
    const { secret } = await auth.ask(accountRequests.beginSecondFactor, { proof });
    await auth.ask(accountRequests.confirmSecondFactor, { proof: { ...proof, secondFactor: codeOf(secret, 0) } });
    await auth.database.query(`update auth.user_account set password_hash = null where email = 'ana@example.com'`);
    const signIn = (secondFactor?: string) =>
      auth.ask(authRequests.signIn, { email: 'ana', password: 'ana-password', secondFactor });
    const sessions = async () => (await auth.database.query<unknown[]>(`select 1 from auth.session`)).length;
    const before = await sessions();
    try {
      for (let time = 0; time < 6; time += 1) {
        expect((await auth.refusal(signIn())).code).toBe('auth.second_factor_required');
      }
      expect(await sessions()).toBe(before);
      const burst = await Promise.allSettled(Array.from({ length: 4 }, () => signIn(codeOf(secret, 1))));
      expect(burst.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      await forget();
      for (let guess = 0; guess < 5; guess += 1) {
        // What is missing is no guess, and clears none.
        expect((await auth.refusal(signIn())).code).toBe('auth.second_factor_required');
        expect((await auth.refusal(signIn('not a code'))).code).toBe('auth.second_factor_wrong');
      }
      expect((await auth.refusal(signIn('not a code'))).code).toBe('auth.throttled');
      expect(await sessions()).toBe(before + 1);
    } finally {
      await auth.database.query(`delete from auth.second_factor`);
      await forget();
    }
  }, 30_000);

  it('a workspace that asks for a second factor lets in who has the directory’s password alone, and can set none up', async () => {
    const context = await auth.admin();
    await auth.ask(accountRequests.updateSignInRules, { secondFactorRequired: true }, context);
    await expect(auth.signIn({ email: 'bob', password: 'bob-password' })).resolves.toBeDefined();
    await auth.ask(accountRequests.updateSignInRules, { secondFactorRequired: false }, context);
  });

  it('a directory that cannot be asked is told apart from a wrong password, and counted', async () => {
    const down = await createProvider(auth, {
      kind: 'LDAP',
      name: 'A broken one',
      options: { url: `ldaps://localhost:${await freePort()}`, userName: 'uid={login},dc=x' },
    });
    await expect(auth.signIn({ email: 'ana', password: 'ana-password' })).resolves.toBeDefined();
    const { code, retryable } = await auth.refusal(auth.signIn({ email: 'ana', password: 'wrong' }));
    expect([code, retryable]).toEqual(['sso.provider_unavailable', true]);
    // Of each directory the audit log tells what is true of it.
    const reasonsOf = async (isDown: boolean): Promise<unknown[]> =>
      (await failedAtProviders()).filter(({ target }) => (target?.id === down) === isDown).map(({ reason }) => reason);
    await until(async () => (await reasonsOf(true)).length > 0);
    expect(new Set(await reasonsOf(true))).toEqual(new Set(['PROVIDER_UNAVAILABLE']));
    expect(await reasonsOf(false)).toContain('CREDENTIALS_WRONG');
    await auth.ask(identityProviderRequests.deleteIdentityProvider, { id: down }, await auth.admin());
  });

  it('a directory that is deleted while another is asked is not there, and those after it are asked', async () => {
    await forget();
    await using proxy = await TcpProxy.start(directory.port);
    proxy.swallow();
    const [silent, gone] = await Promise.all(
      ['A silent one', 'B'].map((name) =>
        createProvider(auth, {
          ...{ kind: 'LDAP', name },
          options: { url: `ldap://localhost:${proxy.port}`, userName: 'uid={login},dc=x' },
        }),
      ),
    );
    const signedIn = auth.signIn({ email: 'ana', password: 'ana-password', workspace: workspaceSlug });
    await until(() => proxy.connections > 0);
    await auth.ask(identityProviderRequests.deleteIdentityProvider, { id: gone ?? '' }, await auth.admin());
    await expect(signedIn).resolves.toBeDefined();
    await auth.ask(identityProviderRequests.deleteIdentityProvider, { id: silent ?? '' }, await auth.admin());
  });

  it.each([
    ['changed', 'sso.provider_changed', 'version = version + 1'],
    ['disabled', 'identity_provider.not_found', 'enabled = false'],
  ])('a directory that is %s after it has confirmed the password counts no guess', async (_, refused, change) => {
    await forget();
    const client = auth.get(LdapDirectoryClient);
    const authenticate = client.authenticate.bind(client);
    for (let time = 0; time < 6; time += 1) {
      vi.spyOn(client, 'authenticate').mockImplementationOnce(async (...asked) => {
        const person = await authenticate(...asked);
        await auth.database.query(`update auth.identity_provider set ${change} where name = 'Directory'`);
        return person;
      });
      const { code } = await auth.refusal(auth.signIn({ email: 'ana', password: 'ana-password' }));
      await auth.database.query(`update auth.identity_provider set enabled = true where name = 'Directory'`);
      expect(code).toBe(refused);
    }
    await expect(auth.signIn({ email: 'ana', password: 'ana-password' })).resolves.toBeDefined();
  });

  it('where single sign-on is enforced, the directory’s password is good and ours is not', async () => {
    await forget();
    const context = await auth.admin();
    await auth.ask(federationRequests.setSignInPolicy, { ssoEnforced: true, checkOnly: false }, context);
    await expect(auth.signIn({ email: 'ana', password: 'ana-password' })).resolves.toBeDefined();
    expect((await auth.refusal(auth.signIn(administrator))).code).toBe('auth.credentials_wrong');
    await auth.ask(federationRequests.setSignInPolicy, { ssoEnforced: false, checkOnly: false }, context);
    await expect(auth.signIn(administrator)).resolves.toBeDefined();
  });

  it('the service account’s password is never told', async () => {
    const context = await auth.admin();
    const answer = await auth.ask(identityProviderRequests.listIdentityProviders, { page: { first: 10 } }, context);
    expect(JSON.stringify(answer)).not.toContain(directory.bindPassword);
    expect(answer.identityProviders.map(({ secretNames }) => secretNames)).toEqual([['bindPassword']]);
  });

  it('a password goes to no directory of a workspace that was not named, where there are several', async () => {
    await forget();
    await auth.database.query(
      `insert into auth.workspace (id, slug, name, master_key_id, wrapped_key) values ('wsp_other', 'other', 'Other', 'k', '')`,
    );
    const attempt = { email: 'ana', password: 'ana-password' };
    expect((await auth.refusal(auth.signIn(attempt))).code).toBe('auth.credentials_wrong');
    expect((await auth.refusal(auth.signIn({ ...attempt, workspace: 'other' }))).code).toBe('auth.credentials_wrong');
    await expect(auth.signIn({ ...attempt, workspace: workspaceSlug })).resolves.toBeDefined();
  });
  it('silent directories of one workspace leave the others theirs, and all of them together one time to each attempt', async () => {
    await forget();
    await using proxy = await TcpProxy.start(directory.port);
    proxy.swallow();
    const silent = async (name: string) =>
      createProvider(auth, {
        ...{ kind: 'LDAP', name },
        options: { url: `ldap://localhost:${proxy.port}`, userName: 'uid={login},dc=x' },
      });
    // It is asked before the one that answers, by its name.
    const mine = await silent('A silent one');
    await expect(
      auth.signIn({ email: 'ana', password: 'ana-password', workspace: workspaceSlug }),
    ).resolves.toBeDefined();
    const ids = [mine, await silent('B'), await silent('C')];
    await auth.database.query(`update auth.identity_provider set workspace_id = 'wsp_other' where id = any ($1)`, [
      ids,
    ]);
    const known = proxy.connections;
    const begun = performance.now();
    let ended = 0;
    const attempts = Array.from({ length: 40 }, async (_, index) => {
      const { code } = await auth.refusal(auth.signIn({ email: `user-${index}`, password: 'x', workspace: 'other' }));
      ended += 1;
      return code;
    });
    // As many as may ask the directories of one workspace at once.
    await until(() => proxy.connections >= known + 5);
    await auth.signIn({ email: 'bob', password: 'bob-password', workspace: workspaceSlug });
    expect(ended).toBeLessThan(attempts.length);
    expect(new Set(await Promise.all(attempts))).toEqual(new Set(['sso.provider_unavailable']));
    // One after the other, or with a time for each directory, they would take eight times as long and more.
    expect(performance.now() - begun).toBeLessThan(5 * timeoutMs);
  }, 30_000);
});
