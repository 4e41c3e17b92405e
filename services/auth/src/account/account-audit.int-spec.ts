import { Secret, TOTP } from 'otpauth';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accountRequests, auditRecorded, authRequests, envelopeCodec, type AuditEntry } from '#libs/contracts';
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

async function allEntries(): Promise<AuditEntry[]> {
  const rows = await auth.database.query<{ envelope: Buffer }[]>('select envelope from auth.outbox order by sequence');
  return rows
    .map(({ envelope }) => envelopeCodec.decode(envelope))
    .filter(({ type }) => type === auditRecorded.auth.type)
    .flatMap(({ payload }) => auditRecorded.auth.codec.decode(payload).entries);
}

/** The entries of one action about one target, as who did it and what came of it. */
async function entriesOf(action: string, id: string): Promise<unknown[]> {
  return (await allEntries())
    .filter((entry) => entry.action === action && entry.target?.id === id)
    .map(({ actor, after }) => ({ by: actor?.id, after }));
}

describe('the audit log of accounts', () => {
  it('tells of passwords that were set, by whom and by which way, and of links, without any of them', async () => {
    const admin = await auth.admin();
    const user = await auth.createUser(admin, {});
    const newPassword = 'another horse battery';
    const context = await auth.as((await auth.signIn(user)).accessToken);
    await auth.ask(accountRequests.changePassword, { currentPassword: user.password, newPassword }, context);
    const { url = '' } = await auth.ask(accountRequests.resetUserPassword, { userId: user.id }, admin);
    const token = url.split('=').at(-1) ?? '';
    await auth.ask(accountRequests.resetPassword, { token, password: 'a third horse battery' });
    expect(await entriesOf('user.password_set', user.id)).toEqual([
      { by: user.id, after: { by: 'CHANGE' } },
      { by: user.id, after: { by: 'RESET' } },
    ]);
    expect(await entriesOf('user.link_made', user.id)).toMatchObject([{ after: { purpose: 'RESET' } }]);
    const text = JSON.stringify(await allEntries());
    for (const secret of [token, newPassword, user.password]) expect(text).not.toContain(secret);
  });

  it('tells of a second factor that was added and removed, by its user and by an administrator', async () => {
    const { id, email, password } = await auth.createUser(await auth.admin(), {});
    const add = async (): Promise<readonly string[]> => {
      const { secret } = await auth.ask(accountRequests.beginSecondFactor, { proof: { email, password } });
      const secondFactor = new TOTP({ secret: Secret.fromBase32(secret) }).generate();
      const proof = { email, password, secondFactor };
      return (await auth.ask(accountRequests.confirmSecondFactor, { proof })).recoveryCodes;
    };
    const [secondFactor] = await add();
    await auth.ask(accountRequests.removeSecondFactor, { proof: { email, password, secondFactor } });
    await add();
    const admin = await auth.admin();
    // The second finds none, and is no entry.
    for (let time = 0; time < 2; time += 1)
      await auth.ask(accountRequests.resetUserSecondFactor, { userId: id }, admin);
    expect(await entriesOf('user.second_factor_added', id)).toMatchObject([{ by: id }, { by: id }]);
    const removed = await entriesOf('user.second_factor_removed', id);
    expect(removed).toHaveLength(2);
    expect(removed[0]).toMatchObject({ by: id });
    expect(removed[1]).not.toMatchObject({ by: id });
  });

  it('tells of sessions that were revoked, of keys that were rotated and of changed rules', async () => {
    const admin = await auth.admin();
    const user = await auth.createUser(admin, {});
    const [mine] = [await auth.signIn(user), await auth.signIn(user)];
    const context = await auth.as(mine.accessToken);
    await auth.ask(accountRequests.revokeOtherSessions, {}, context);
    await auth.ask(accountRequests.revokeUserSessions, { userId: user.id }, admin);
    expect(await entriesOf('user.sessions_revoked', user.id)).toMatchObject([
      { by: user.id, after: { count: 1 } },
      { after: { count: 1 } },
    ]);
    const { apiKey } = await auth.ask(authRequests.createApiKey, { name: 'A key' }, admin);
    await auth.ask(accountRequests.rotateApiKey, { id: apiKey?.id ?? '', overlapSeconds: 60 }, admin);
    expect(await entriesOf('api_key.rotated', apiKey?.id ?? '')).toMatchObject([{ after: { overlapSeconds: 60 } }]);
    for (const secondFactorRequired of [true, false]) {
      await auth.ask(accountRequests.updateSignInRules, { secondFactorRequired }, admin);
    }
    expect(await entriesOf('workspace.sign_in_rules_updated', admin.workspaceId)).toMatchObject([
      { after: { secondFactorRequired: true } },
      { after: { secondFactorRequired: false } },
    ]);
  });

  it('tells of an API key of another that was revoked by whom it was and whose it is', async () => {
    const admin = await auth.admin();
    const { user: administrator } = await auth.ask(authRequests.getViewer, {}, admin);
    const user = await auth.createUser(admin, {});
    const own = await auth.as((await auth.signIn(user)).accessToken);
    const { apiKey } = await auth.ask(authRequests.createApiKey, { name: 'Leaked' }, own);
    await auth.ask(authRequests.revokeApiKey, { id: apiKey?.id ?? '' }, admin);
    const revoked = (await allEntries()).filter(({ action }) => action === 'api_key.revoked');
    expect(revoked).toMatchObject([
      {
        actor: { id: administrator?.id },
        target: { type: 'api_key', id: apiKey?.id, name: 'Leaked' },
        before: { userId: user.id },
      },
    ]);
  });
});
