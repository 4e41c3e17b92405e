import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MessageContext } from '#libs/bus';
import { federationRequests, identityProviderRequests } from '#libs/contracts';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { administrator, AuthHarness, workspaceSlug } from '../../test/auth-harness.js';

let server: PostgresServer;
let auth: AuthHarness;
let databaseUrl: string;
let admin: MessageContext;
beforeAll(async () => {
  server = await startPostgres();
  databaseUrl = await server.createDatabase();
  auth = await AuthHarness.start(databaseUrl);
  admin = await auth.admin();
});
afterAll(async () => {
  await auth.stop();
  await server.stop();
});

const enforce = (ssoEnforced: boolean, context = admin) =>
  auth.ask(federationRequests.setSignInPolicy, { ssoEnforced, checkOnly: false }, context);

async function provider(): Promise<{ id: string; version: number }> {
  const options = { issuer: 'https://login.example.com', clientId: 'sluice' };
  const input = { name: 'Login', kind: 'OIDC' as const, enabled: true, options, emailDomains: [] };
  const { identityProvider } = await auth.ask(identityProviderRequests.createIdentityProvider, input, admin);
  if (!identityProvider) throw new Error('no provider came back');
  return identityProvider;
}

describe('a workspace that enforces single sign-on', () => {
  it('must have a provider to sign in through, and keeps the last one', async () => {
    const refused = await auth.refusal(enforce(true));
    expect([refused.code, refused.path]).toEqual(['input.invalid', ['ssoEnforced']]);
    const { id, version } = await provider();
    await enforce(true);
    const update = { id, version, enabled: false, cleared: [] };
    const disabling = auth.ask(identityProviderRequests.updateIdentityProvider, update, admin);
    expect((await auth.refusal(disabling)).path).toEqual(['enabled']);
    const deleting = auth.ask(identityProviderRequests.deleteIdentityProvider, { id }, admin);
    expect((await auth.refusal(deleting)).code).toBe('input.invalid');
    await enforce(false);
  });

  it('takes no password, in the words and the time of a wrong one', async () => {
    const timed = async (password: string): Promise<[number, string, string]> => {
      const begun = performance.now();
      const { code, publicMessage } = await auth.refusal(auth.signIn({ ...administrator, password }));
      return [performance.now() - begun, code, publicMessage];
    };
    await auth.signIn(administrator);
    await enforce(true);
    const right: number[] = [];
    const wrong: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      const [[rightMs, ...rightWords], [wrongMs, ...wrongWords]] = [
        await timed(administrator.password),
        await timed('wrong wrong wrong'),
      ];
      expect(rightWords).toEqual(wrongWords);
      right.push(rightMs);
      wrong.push(wrongMs);
    }
    // Without the hash an answer comes in a tenth of the time; what else the machine does makes some slower, and none faster.
    const [fastestRight, fastestWrong] = [Math.min(...right), Math.min(...wrong)];
    expect(fastestRight).toBeGreaterThan(fastestWrong * 0.5);
    expect(fastestWrong).toBeGreaterThan(fastestRight * 0.5);
    await auth.database.query('delete from auth.sign_in_failure');
  });

  it('lets an administrator back in by a setting of the operator', async () => {
    await enforce(true);
    const opened = await AuthHarness.start(databaseUrl, { SLUICE_AUTH_PASSWORD_WORKSPACES: workspaceSlug });
    try {
      await expect(opened.signIn(administrator)).resolves.toBeDefined();
    } finally {
      await opened.stop();
      await enforce(false);
    }
  });

  it('is only looked at where it is asked whether it could be set', async () => {
    const check = (ssoEnforced: boolean) =>
      auth.ask(federationRequests.setSignInPolicy, { ssoEnforced, checkOnly: true }, admin);
    await check(true);
    await expect(auth.signIn(administrator)).resolves.toBeDefined();
    await auth.database.query('update auth.identity_provider set enabled = false');
    expect(await auth.refusal(check(true))).toMatchObject({ code: 'input.invalid', path: ['ssoEnforced'] });
    await auth.database.query('update auth.identity_provider set enabled = true');
  });

  it('is set by nobody without identity_provider.manage', async () => {
    const editor = await auth.createUser(admin, { roleNames: ['editor'] });
    const context = await auth.as((await auth.signIn(editor)).accessToken);
    expect((await auth.refusal(enforce(true, context))).code).toBe('auth.forbidden');
  });
});
