import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  accountRequests,
  authRequests,
  dataKeyRequests,
  secretRequests,
  type AnyRequestContract,
} from '#libs/contracts';
import { MasterKeys, unwrapDataKey } from '#libs/encryption';
import { TokenVerifier } from '#libs/identity';
import { newId } from '#libs/kernel';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { administrator, allRequests, AuthHarness, newSigningKey } from '../test/auth-harness.js';
import { RetentionService } from './retention/retention.service.js';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

async function withAuth<T>(
  work: (auth: AuthHarness) => Promise<T>,
  settings: Record<string, string> = {},
  databaseUrl?: string,
): Promise<T> {
  const auth = await AuthHarness.start(databaseUrl ?? (await server.createDatabase()), settings);
  try {
    return await work(auth);
  } finally {
    await auth.stop();
  }
}

const count = async (auth: AuthHarness, table: string) =>
  (await auth.database.query<{ count: string }[]>(`select count(*) from auth.${table}`))[0]?.count;

/** Asks with an empty message: it is refused before anything is read of it. */
function askWithNothing(auth: AuthHarness, contract: AnyRequestContract): Promise<unknown> {
  return auth.ask(contract, contract.request.decode(new Uint8Array()));
}

describe('the service', () => {
  it('handles every request of its contract and no other', () =>
    withAuth(async (auth) => {
      expect(auth.patterns.toSorted()).toEqual(allRequests.map(({ pattern }) => pattern).toSorted());
    }));

  it('answers nobody without a token but for what a password, a key or a token of its own proves, and for asking for a reset', () =>
    withAuth(async (auth) => {
      const open = [
        ...['SignIn', 'RefreshSession', 'ExchangeApiKey', 'GetSigningKeys'],
        ...['BeginSecondFactor', 'ConfirmSecondFactor', 'RemoveSecondFactor'],
        ...['RequestPasswordReset', 'ResetPassword', 'AcceptInvitation'],
      ];
      const forServices = ['ActFor', 'EnsureGroups', 'ListRevocations', 'ListUserRights', 'GetDataKey'];
      for (const [name, contract] of Object.entries({ ...authRequests, ...accountRequests })) {
        const rpc = contract.pattern.split('/')[1] ?? '';
        if (open.includes(rpc)) continue;
        const expected = forServices.includes(rpc) ? 'auth.forbidden' : 'auth.unauthenticated';
        const asked = askWithNothing(auth, contract);
        expect([name, (await auth.refusal(asked)).code]).toEqual([name, expected]);
      }
    }));

  it('token of another workspace: refuses a good token in the envelope of another', () =>
    withAuth(async (auth) => {
      const context = { ...(await auth.admin()), workspaceId: newId('workspace') };
      const error = await auth.refusal(auth.ask(authRequests.getViewer, {}, context));
      expect(error.code).toBe('auth.unauthenticated');
    }));
});

describe('the first workspace', () => {
  it('is made once, with its administrator, and never again: not where there is any user', async () => {
    const url = await server.createDatabase();
    await withAuth(async (auth) => expect(await count(auth, 'workspace')).toBe('1'), {}, url);
    const others = {
      SLUICE_AUTH_BOOTSTRAP_WORKSPACE: 'another',
      SLUICE_AUTH_BOOTSTRAP_EMAIL: 'intruder@example.com',
      SLUICE_AUTH_BOOTSTRAP_PASSWORD: 'intruder intruder',
    };
    await withAuth(
      async (auth) => {
        expect([await count(auth, 'workspace'), await count(auth, 'user_account')]).toEqual(['1', '1']);
        await expect(auth.signIn(administrator)).resolves.toBeDefined();
      },
      others,
      url,
    );
  });

  it('is made once by processes that start together', async () => {
    const url = await server.createDatabase();
    const started = await Promise.all(Array.from({ length: 4 }, () => AuthHarness.start(url)));
    const [first] = started;
    expect(first && [await count(first, 'workspace'), await count(first, 'user_account')]).toEqual(['1', '1']);
    await Promise.all(started.map((auth) => auth.stop()));
  });

  it('is not made without settings, and half of them stop the start', async () => {
    const none = {
      SLUICE_AUTH_BOOTSTRAP_WORKSPACE: '',
      SLUICE_AUTH_BOOTSTRAP_EMAIL: '',
      SLUICE_AUTH_BOOTSTRAP_PASSWORD: '',
    };
    await withAuth(async (auth) => expect(await count(auth, 'user_account')).toBe('0'), none);
    await expect(withAuth(async () => undefined, { SLUICE_AUTH_BOOTSTRAP_PASSWORD: '' })).rejects.toThrow(
      /go together/,
    );
    await expect(withAuth(async () => undefined, { SLUICE_AUTH_BOOTSTRAP_PASSWORD: 'short' })).rejects.toThrow();
  });
});

describe('a workspace’s data key', () => {
  it('is given to metadata as ciphertext, and to no caller', () =>
    withAuth(async (auth) => {
      const context = await auth.admin();
      const { workspaceId } = context;
      const { wrappedKey } = await auth.askAsService(authRequests.getDataKey, { workspaceId });
      expect(wrappedKey.byteLength).toBe(12 + 32 + 16);
      for (const asker of [context, { ...context, actor: { case: 'service', value: 'gateway' } as const }]) {
        const error = await auth.refusal(auth.ask(authRequests.getDataKey, { workspaceId }, asker));
        expect(error.code).toBe('auth.forbidden');
      }
      for (const id of [newId('workspace'), 'wsp_\0']) {
        const error = await auth.refusal(auth.askAsService(authRequests.getDataKey, { workspaceId: id }));
        expect(error.code).toBe('auth.workspace_not_found');
      }
    }));

  it('stays the same key when the master key changes, and is wrapped by the new one', async () => {
    const url = await server.createDatabase();
    const [one, two] = [0, 1].map((index) => `k${index}:${randomBytes(32).toString('base64')}`);
    const both = `${two},${one}`;
    const read = (keys: string) =>
      withAuth(
        async (auth) => {
          const { workspaceId } = await auth.admin();
          const wrapped = await auth.askAsService(authRequests.getDataKey, { workspaceId });
          return unwrapDataKey(wrapped, MasterKeys.parse(keys), workspaceId);
        },
        { SLUICE_MASTER_KEYS: keys },
        url,
      );
    const before = await read(one ?? '');
    const moved = await read(both);
    expect(moved.masterKeyId).toBe('k1');
    // The old master key may go now.
    const after = await read(two ?? '');
    expect([moved.key, after.key]).toEqual([before.key, before.key]);
  });
});

describe('rotating keys', () => {
  const renew = (auth: AuthHarness, madeBeforeMs = 0) =>
    auth.askAsService(dataKeyRequests.renewDataKeys, { after: '', madeBeforeMs }, 'operator');

  it('is for the operator’s command alone', () =>
    withAuth(async (auth) => {
      const admin = await auth.admin();
      const asked = [
        auth.ask(dataKeyRequests.renewDataKeys, { after: '', madeBeforeMs: 0 }, admin),
        auth.ask(secretRequests.auth.resealSecrets, { after: '' }, admin),
        auth.askAsService(secretRequests.auth.resealSecrets, { after: '' }, 'gateway'),
      ];
      for (const each of asked) expect((await auth.refusal(each)).code).toBe('auth.forbidden');
    }));

  it('gives new data keys where they are asked for, once; a tampered one stays as it is and is counted', () =>
    withAuth(async (auth) => {
      const key = () => auth.database.query<{ key: Buffer }[]>(`select wrapped_key as key from auth.workspace`);
      const nothing = { seen: 1, resealed: 0, unreadable: 0, total: 1 };
      expect((await renew(auth)).progress).toEqual(nothing);
      const [before] = await key();
      const nowMs = Date.now() + 1_000;
      expect((await renew(auth, nowMs)).progress).toEqual({ ...nothing, resealed: 1 });
      expect((await key())[0]).not.toEqual(before);
      await auth.database.query(`update auth.workspace set wrapped_key = set_byte(wrapped_key, 20, 0)`);
      await auth.database.query(`update auth.workspace set wrapped_key = set_byte(wrapped_key, 21, 0)`);
      const [tampered] = await key();
      expect((await renew(auth, Date.now() + 60_000)).progress).toEqual({ ...nothing, unreadable: 1 });
      expect((await key())[0]).toEqual(tampered);
    }));
});

describe('signing keys', () => {
  it('can be changed without ending a session: tokens of the old key are good while it is published', async () => {
    const url = await server.createDatabase();
    const [older, newer] = [newSigningKey('older'), newSigningKey('newer')];
    const old = { SLUICE_AUTH_SIGNING_KEYS: older };
    const { accessToken, refreshToken } = await withAuth((auth) => auth.signIn(administrator), old, url);
    const both = { SLUICE_AUTH_SIGNING_KEYS: `{"keys":[${newer},${older}]}` };
    await withAuth(
      async (auth) => {
        await expect(auth.get(TokenVerifier).verify(accessToken)).resolves.toBeDefined();
        const refreshed = await auth.refresh(refreshToken);
        expect(Buffer.from(refreshed.accessToken.split('.')[0] ?? '', 'base64url').toString()).toContain('"newer"');
      },
      both,
      url,
    );
    await withAuth(
      async (auth) => {
        expect((await auth.refusal(auth.get(TokenVerifier).verify(accessToken))).code).toBe('auth.unauthenticated');
      },
      { SLUICE_AUTH_SIGNING_KEYS: newer },
      url,
    );
  });

  it('are published without their private half', () =>
    withAuth(async (auth) => {
      const { jwksJson } = await auth.ask(authRequests.getSigningKeys, {});
      const { keys } = JSON.parse(jwksJson) as { keys: Record<string, unknown>[] };
      expect(keys.map((key) => Object.keys(key).toSorted())).toEqual([['alg', 'crv', 'kid', 'kty', 'use', 'x']]);
    }));
});

describe('retention', () => {
  it('removes what is long over, and leaves what is not', () =>
    withAuth(async (auth) => {
      const old = await auth.signIn(administrator);
      const kept = await auth.signIn(administrator);
      const { sessionId } = await auth.get(TokenVerifier).verify(old.accessToken);
      await auth.database.query(`update auth.session set ended_at = now() - interval '8 days' where id = $1`, [
        sessionId,
      ]);
      await auth.get(RetentionService).deleteOld();
      expect([await count(auth, 'session'), await count(auth, 'refresh_token')]).toEqual(['1', '1']);
      await expect(auth.refresh(kept.refreshToken)).resolves.toBeDefined();
    }));
});
