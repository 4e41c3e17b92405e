import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serviceContext, type MessageContext } from '#libs/bus';
import { authRequests, healthRequests, operatorRequests } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { selfSigned, startPostgres, type PostgresServer } from '#libs/testing';
import { administrator, AuthHarness } from '../../test/auth-harness.js';

const day = 86_400_000;

let server: PostgresServer;
let auth: AuthHarness;
let admin: MessageContext;
beforeAll(async () => {
  server = await startPostgres();
  auth = await AuthHarness.start(await server.createDatabase());
  admin = await auth.admin();
});
afterAll(async () => {
  await auth.stop();
  await server.stop();
});

const found = async (): Promise<string[]> => {
  const request = { withDatabase: false };
  const { report } = await auth.ask(healthRequests.auth.examine, request, serviceContext('operator', ''));
  expect(report?.notChecked).toEqual([]);
  return (report?.findings ?? []).map(({ severity, what }) => `${severity} ${what}`);
};

async function insertProvider(id: string, workspaceId: string, certificates: readonly string[]): Promise<void> {
  await auth.database.query(
    `insert into auth.identity_provider (id, workspace_id, name, name_key, kind, enabled, options)
     values ($1, $2, $1, $1, 'SAML', true, $3)`,
    [id, workspaceId, { certificates }],
  );
}

describe('the health of auth', () => {
  it('is good where nothing expires, and its migrations are applied', async () => {
    expect(await found()).toEqual([]);
  });

  it('tells of certificates of single sign-on that expire', async () => {
    const id = newId('identityProvider');
    const { certificate } = await selfSigned(5.5);
    await insertProvider(id, admin.workspaceId, [certificate]);
    expect(await found()).toEqual([`CRITICAL The certificate of the identity provider ${id} expires in 5 days.`]);
    const { certificate: next } = await selfSigned(400);
    const setCertificates = `update auth.identity_provider set options = $1`;
    await auth.database.query(setCertificates, [{ certificates: [certificate, next] }]);
    expect(await found()).toEqual([]);
    await auth.database.query(setCertificates, [{ certificates: [certificate] }]);
    await auth.database.query('update auth.identity_provider set enabled = false');
    expect(await found()).toEqual([]);
    await auth.database.query('delete from auth.identity_provider');
  });

  it('tells of a certificate that cannot be read, and of those of all other providers none the less', async () => {
    const ids = Array.from({ length: 3 }, () => newId('identityProvider')).toSorted();
    const { certificate } = await selfSigned(5.5);
    const broken = '-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n';
    const { certificate: next } = await selfSigned(400);
    for (const [index, certificates] of [[broken], [certificate], [broken, next]].entries()) {
      await insertProvider(ids[index] ?? '', admin.workspaceId, certificates);
    }
    expect(await found()).toEqual([
      `CRITICAL The certificate of the identity provider ${ids[1]} expires in 5 days.`,
      `WARNING A certificate of the identity provider ${ids[0]} cannot be read.`,
      `WARNING A certificate of the identity provider ${ids[2]} cannot be read.`,
    ]);
    await auth.database.query('delete from auth.identity_provider');
  });

  it('is told of every workspace, whatever another one has', async () => {
    const { certificate } = await selfSigned(5.5);
    const others = Array.from({ length: 120 }, () => newId('identityProvider')).toSorted();
    for (const id of others) await insertProvider(id, admin.workspaceId, [certificate]);
    const mine = { workspaceId: newId('workspace'), userId: newId('user'), providerId: newId('identityProvider') };
    await auth.database.query(
      `insert into auth.workspace (id, slug, name, master_key_id, wrapped_key) values ($1, 'mine', 'Mine', 'k', '\\x00')`,
      [mine.workspaceId],
    );
    await auth.database.query(
      `insert into auth.user_account (id, workspace_id, email, name, name_key, role_names)
       values ($1, $2, 'me@example.com', 'Me', 'me', '{viewer}')`,
      [mine.userId, mine.workspaceId],
    );
    await insertProvider(mine.providerId, mine.workspaceId, [certificate]);
    const insertKeys = `
      insert into auth.api_key (id, workspace_id, user_id, name, prefix, secret_hash, expires_at, last_used_at)
      select $3 || number, $1, $2, 'A key', $3 || number, '', now() + make_interval(days => $4, mins => number), now()
      from generate_series(1, $5) number`;
    const { userId } = await auth.principalOf((await auth.signIn(administrator)).accessToken);
    await auth.database.query(insertKeys, [admin.workspaceId, userId, 'theirs', 5, 30]);
    await auth.database.query(insertKeys, [mine.workspaceId, mine.userId, 'mine', 6, 1]);
    const told = await found();
    expect(told).toContain(`CRITICAL The certificate of the identity provider ${mine.providerId} expires in 5 days.`);
    expect(told.filter((what) => what.includes('The certificate of'))).toHaveLength(101);
    expect(told).toContain('WARNING The API key mine1, which is in use, expires in 6 days.');
    expect(told.filter((what) => what.includes('The API key'))).toHaveLength(21);
    await auth.database.query('delete from auth.identity_provider');
    await auth.database.query('delete from auth.api_key');
    await auth.database.query('delete from auth.user_account where id = $1', [mine.userId]);
    await auth.database.query('delete from auth.workspace where id = $1', [mine.workspaceId]);
  });

  it('tells of API keys that expire, where they are in use', async () => {
    const expiresAt = new Date(Date.now() + 5.5 * day);
    const { apiKey } = await auth.ask(authRequests.createApiKey, { name: 'a pipeline', expiresAt }, admin);
    expect(await found()).toEqual([]);
    await auth.database.query('update auth.api_key set last_used_at = now()');
    expect(await found()).toEqual([`WARNING The API key ${apiKey?.id ?? ''}, which is in use, expires in 5 days.`]);
  });

  it('tells of migrations that are not applied', async () => {
    await auth.database.query(`delete from auth.migration where name = 'Roles1795430000000'`);
    expect(await found()).toContain('CRITICAL 1 migrations of auth are not applied: Roles1795430000000.');
  });

  it('is told to no caller, whatever their permissions', async () => {
    const { code } = await auth.refusal(auth.ask(healthRequests.auth.examine, { withDatabase: true }, admin));
    expect(code).toBe('auth.forbidden');
  });
});

describe('who may operate the installation', () => {
  it('is who operates its first workspace, and no other', async () => {
    expect(await auth.ask(operatorRequests.mayOperate, {}, admin)).toEqual({ mayOperate: true });
    await auth.database.query(
      `insert into auth.workspace (id, slug, name, master_key_id, wrapped_key, created_at)
       values ($1, 'before', 'Before', 'k', '\\x00', now() - interval '1 day')`,
      [newId('workspace')],
    );
    expect(await auth.ask(operatorRequests.mayOperate, {}, admin)).toEqual({ mayOperate: false });
  });
});
