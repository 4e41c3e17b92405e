import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditRecorded, authRequests, envelopeCodec, type AuditEntry } from '#libs/contracts';
import { asWorkOf } from '#libs/kernel';
import { startPostgres, until, type PostgresServer } from '#libs/testing';
import { administrator, AuthHarness } from '../test/auth-harness.js';
import { SignInFailures } from './session/sign-in-failures.service.js';

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

async function entries(action: string): Promise<AuditEntry[]> {
  const rows = await auth.database.query<{ envelope: Buffer }[]>('select envelope from auth.outbox order by sequence');
  return rows
    .map(({ envelope }) => envelopeCodec.decode(envelope))
    .filter(({ type }) => type === auditRecorded.auth.type)
    .flatMap(({ payload }) => auditRecorded.auth.codec.decode(payload).entries)
    .filter((entry) => entry.action === action);
}

const from = { clientAddress: '203.0.113.9', userAgent: 'Mozilla/5.0' };

describe('the audit log of auth', () => {
  it('tells of the first workspace and its administrator', async () => {
    expect(await entries('workspace.created')).toMatchObject([{ actor: { kind: 'SERVICE', id: 'auth' } }]);
    expect(await entries('user.created')).toMatchObject([{ target: { name: administrator.email } }]);
  });

  it('tells of a sign-in and a sign-out by whom and from where', async () => {
    const { accessToken } = await auth.signIn(administrator);
    const context = { ...(await auth.as(accessToken)), origin: from };
    await auth.ask(authRequests.signOut, {}, context);
    const [signedOut] = await entries('session.signed_out');
    expect(signedOut).toMatchObject({ ...from, requestId: context.requestId, actor: { kind: 'USER' } });
    const [signedIn] = await entries('session.signed_in');
    expect(signedIn).toMatchObject({ target: signedOut?.target ?? {}, after: { by: 'PASSWORD' } });
  });

  it('tells of failed sign-ins of known users with their number and reason, and never what was typed', async () => {
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await auth.refusal(auth.signIn({ ...administrator, password: 'wr0ng secret typed' }));
    }
    await auth.refusal(auth.signIn({ email: 'my-own-password@example.com', password: 'x'.repeat(12) }));
    // One entry a second, with as many attempts as there were in it.
    const countOf = async (): Promise<number> =>
      (await entries('session.sign_in_failed')).reduce((sum, { after }) => sum + Number(after?.['attempts']), 0);
    await until(async () => (await countOf()) >= 3);
    const failed = await entries('session.sign_in_failed');
    expect(failed.every(({ reason, outcome }) => reason === 'WRONG_CREDENTIALS' && outcome === 'FAILURE')).toBe(true);
    expect(await countOf()).toBe(3);
    const all = (await auth.database.query<{ envelope: Buffer }[]>('select envelope from auth.outbox'))
      .map(({ envelope }) => envelope.toString('latin1'))
      .join('');
    expect(all).not.toContain('wr0ng secret typed');
    expect(all).not.toContain('my-own-password');
  });

  it('has one entry a second of who fails from many addresses of one network', async () => {
    const user = await auth.createUser(await auth.admin(), {});
    const failed = async (): Promise<AuditEntry[]> =>
      (await entries('session.sign_in_failed')).filter(({ target }) => target?.id === user.id);
    const addresses = Array.from({ length: 3 }, (_, index) => `2001:db8:1:2::${index.toString(16)}`);
    const input = { email: user.email, password: 'wrong password' };
    const context = { workspaceId: '', actor: { case: undefined }, requestId: 'req_test' } as const;
    const fail = (clientAddress: string) =>
      auth.ask(authRequests.signIn, input, { ...context, origin: { ...from, clientAddress } });
    await Promise.all(addresses.map((address) => auth.refusal(fail(address))));
    const attempts = async () => (await failed()).reduce((sum, { after }) => sum + Number(after?.['attempts']), 0);
    await until(async () => (await attempts()) === 3);
    expect((await failed()).length).toBeLessThan(3);
    for (const { after } of await failed()) expect(after).toMatchObject({ network: '2001:db8:1:2::/64' });
  });

  it('has some entries a second of who fails from many networks, with all attempts in them', async () => {
    const { userId: id, workspaceId } = await auth.principalOf((await auth.signIn(administrator)).accessToken);
    const failures = auth.get(SignInFailures);
    for (let attempt = 0; attempt < 600; attempt += 1) {
      const clientAddress = attempt === 0 ? '203.0.113.9' : `2001:db8:2:${(attempt % 300).toString(16)}::1`;
      const actor = { kind: 'ANONYMOUS', id: '' } as const;
      asWorkOf({ workspaceId: '', requestId: 'req_test', clientAddress, actor }, () =>
        failures.note({ workspaceId, id }, 'FROM_MANY'),
      );
    }
    const told = async (): Promise<AuditEntry[]> =>
      (await entries('session.sign_in_failed')).filter(({ reason }) => reason === 'FROM_MANY');
    await until(async () => (await told()).length > 0);
    const all = await told();
    expect(all).toHaveLength(11);
    expect(all.reduce((sum, { after }) => sum + Number(after?.['attempts']), 0)).toBe(600);
    expect(all[0]).toMatchObject({ clientAddress: '203.0.113.9', after: { attempts: 1 } });
    expect(all[0]?.after).not.toHaveProperty('network');
    expect(all[10]).toMatchObject({ after: { network: 'others' } });
    expect(all[10]?.clientAddress).toBeUndefined();
  });

  it('tells of failed sign-ins that it could not be told of at first, of each by itself', async () => {
    const admin = await auth.admin();
    const [one, other] = [await auth.createUser(admin, {}), await auth.createUser(admin, {})];
    const attemptsAt = async (id: string): Promise<unknown[]> =>
      (await entries('session.sign_in_failed'))
        .filter(({ target }) => target?.id === id)
        .map(({ after }) => after?.['attempts']);
    await auth.database.query(
      `create function auth.refuse_one() returns trigger language plpgsql as $$ begin
         if position('${one.id}'::bytea in new.envelope) > 0 then raise 'not now'; end if; return new; end $$`,
    );
    await auth.database.query(
      `create trigger refuse_one before insert on auth.outbox for each row execute function auth.refuse_one()`,
    );
    const fail = (user: typeof one) => auth.refusal(auth.signIn({ ...user, password: 'wrong password' }));
    await Promise.all([fail(one), fail(other)]);
    await until(async () => (await attemptsAt(other.id)).length === 1);
    expect(await attemptsAt(one.id)).toEqual([]);
    await auth.database.query(`drop function auth.refuse_one cascade`);
    await until(async () => (await attemptsAt(one.id)).length === 1);
    expect([await attemptsAt(one.id), await attemptsAt(other.id)]).toEqual([[1], [1]]);
  });

  it('tells of a refresh token that was used twice', async () => {
    const { refreshToken } = await auth.signIn(administrator);
    await auth.refresh(refreshToken);
    await auth.database.query(`update auth.refresh_token set used_at = used_at - interval '1 minute'`);
    await auth.refusal(auth.refresh(refreshToken));
    expect(await entries('session.refresh_reused')).toMatchObject([{ outcome: 'FAILURE', reason: 'REUSED' }]);
  });

  it('tells of users, groups and API keys what was before and what is, without their secrets', async () => {
    const admin = await auth.admin();
    const user = await auth.createUser(admin, { groupNames: ['Sales'] });
    const change = { id: user.id, version: user.version, roleNames: { values: ['viewer'] }, cleared: [] };
    await auth.ask(authRequests.updateUser, change, admin);
    await auth.ask(
      authRequests.updateUser,
      { id: user.id, version: user.version + 1, disabled: true, cleared: [] },
      admin,
    );
    const updated = (await entries('user.updated')).find(({ target }) => target?.id === user.id);
    expect(updated).toMatchObject({ before: { roleNames: ['analyst'] }, after: { roleNames: ['viewer'] } });
    expect(Object.keys(updated?.after ?? {})).toEqual(['roleNames']);
    expect(await entries('user.disabled')).toMatchObject([{ before: { disabled: false }, after: { disabled: true } }]);
    expect(await entries('group.created')).toMatchObject([{ target: { type: 'group', name: 'Sales' } }]);
    const { secret, apiKey } = await auth.ask(authRequests.createApiKey, { name: 'CI' }, admin);
    await auth.ask(authRequests.revokeApiKey, { id: apiKey?.id ?? '' }, admin);
    const keys = [...(await entries('api_key.created')), ...(await entries('api_key.revoked'))];
    expect(keys.map(({ target }) => target?.id)).toEqual([apiKey?.id, apiKey?.id]);
    expect(JSON.stringify(keys)).not.toContain(secret);
    expect(keys[0]?.after).toMatchObject({ prefix: apiKey?.prefix });
  });

  it('tells who is acted for by which service', async () => {
    const { userId, workspaceId } = await auth.principalOf((await auth.signIn(administrator)).accessToken);
    await auth.askAsService(authRequests.actFor, { workspaceId, userId }, 'orchestrator');
    expect(await entries('user.acted_for')).toMatchObject([
      { actor: { kind: 'SERVICE', id: 'orchestrator' }, target: { id: userId } },
    ]);
  });

  it('has no entry of what was refused', async () => {
    const admin = await auth.admin();
    const before = (await entries('user.created')).length;
    const taken = { email: administrator.email, name: 'Twice', roleNames: [], groupNames: [] };
    await auth.refusal(auth.ask(authRequests.createUser, taken, admin));
    expect((await entries('user.created')).length).toBe(before);
  });
});
