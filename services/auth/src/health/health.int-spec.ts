import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serviceContext, type MessageContext } from '#libs/bus';
import { authRequests, healthRequests, operatorRequests } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { selfSigned, startPostgres, type PostgresServer } from '#libs/testing';
import { AuthHarness } from '../../test/auth-harness.js';

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

describe('the health of auth', () => {
  it('is good where nothing expires, and its migrations are applied', async () => {
    expect(await found()).toEqual([]);
  });

  it('tells of certificates of single sign-on that expire', async () => {
    const id = newId('identityProvider');
    const { certificate } = await selfSigned(5.5);
    await auth.database.query(
      `insert into auth.identity_provider (id, workspace_id, name, name_key, kind, enabled, options)
       values ($1, $2, 'Company', 'company', 'SAML', true, $3)`,
      [id, admin.workspaceId, { certificates: [certificate] }],
    );
    expect(await found()).toEqual([`CRITICAL The certificate of the identity provider ${id} expires in 5 days.`]);
    const { certificate: next } = await selfSigned(400);
    const setCertificates = `update auth.identity_provider set options = $1`;
    await auth.database.query(setCertificates, [{ certificates: [certificate, next] }]);
    expect(await found()).toEqual([]);
    await auth.database.query(setCertificates, [{ certificates: [certificate] }]);
    await auth.database.query('update auth.identity_provider set enabled = false');
    expect(await found()).toEqual([]);
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
