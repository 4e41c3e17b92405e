import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { hasVaultServer, until, VaultServer, type TestVault } from '#libs/testing';
import { vaultOf } from '../test/vault-of.js';
import { VaultStandIn } from '../test/vault-stand-in.js';
import { MasterKeys, openMasterKeys, type KeyManagement } from './index.js';
import { LocalKeyManagement } from './local-key-management.js';

const unreadable = expect.objectContaining({ code: 'secret.unreadable' });

/** What stands in the settings. */
async function sealedKeys(management: KeyManagement, keys: Readonly<Record<string, Uint8Array>>): Promise<string> {
  const entries = await Promise.all(
    Object.entries(keys).map(async ([id, key]) => `${id}:${await management.seal(key, id)}`),
  );
  return entries.join(', ');
}

function masterKeyTests(management: () => KeyManagement): void {
  const keys = { k2: randomBytes(32), k1: randomBytes(32) };

  it('open at the start to what was sealed, in their order', async () => {
    const opened = MasterKeys.parse(await openMasterKeys(await sealedKeys(management(), keys), management()));
    expect([opened.currentId, opened.get('k2'), opened.get('k1')]).toEqual(['k2', keys.k2, keys.k1]);
  });

  it('do not show themselves in the settings, and are sealed to other bytes each time', async () => {
    const [one, other] = [await sealedKeys(management(), keys), await sealedKeys(management(), keys)];
    expect(one).not.toContain(keys.k1.toString('base64'));
    expect(one).not.toBe(other);
  });

  it('fail closed when tampered with, cut, and when swapped for one another', async () => {
    const [one = '', other = ''] = (await sealedKeys(management(), keys)).split(', ');
    const swapped = `k2:${other.slice(3)},k1:${one.slice(3)}`;
    const tampered = `${one.slice(0, -8)}AAAAAAA=`;
    for (const text of [swapped, tampered, one.slice(0, 20), 'k1:', 'k1:nonsense']) {
      await expect(openMasterKeys(text, management())).rejects.toEqual(unreadable);
    }
  });
}

describe('master keys sealed by a local key', () => {
  const management = new LocalKeyManagement(randomBytes(32).toString('base64'));
  masterKeyTests(() => management);
});

it('a Vault that cannot be reached stops the start with a reason, and without the token', async () => {
  const nowhere = vaultOf({ SLUICE_KMS_VAULT_URL: 'http://127.0.0.1:1', SLUICE_KMS_VAULT_TOKEN: 't0p' });
  const failure = await nowhere.open('vault:v1:AAAA', 'k1').catch((error: unknown) => inspect(error));
  expect(failure).toContain('Vault cannot be reached');
  expect(failure).not.toContain('t0p');
});

// The stand-in is for machines without Go; where a real one was built, it has to answer as that does.
const vaults: [string, () => Promise<TestVault>][] = [['the stand-in', () => VaultStandIn.start()]];
if (hasVaultServer) vaults.push(['the real one', () => VaultServer.start()]);

describe.each(vaults)('Vault, %s,', (_, start) => {
  const key = randomBytes(32);
  let vault: TestVault;
  let token: string;
  beforeAll(async () => {
    vault = await start();
    token = await vault.tokenFor('transit/encrypt/sluice', 'transit/decrypt/sluice');
  });
  afterAll(() => vault.stop());
  const management = (more: Readonly<Record<`SLUICE_KMS_VAULT_${string}`, string>> = {}): KeyManagement =>
    vaultOf({ SLUICE_KMS_VAULT_URL: vault.url, SLUICE_KMS_VAULT_TOKEN: token, ...more });

  describe('with master keys that', () => {
    masterKeyTests(() => management());
  });

  it('may rotate its own key: what was sealed before still opens', async () => {
    const before = await management().seal(key, 'k1');
    await vault.rotate();
    const after = await management().seal(key, 'k1');
    expect([before.slice(0, 9), after.slice(0, 9)]).toEqual(['vault:v1:', 'vault:v2:']);
    for (const sealed of [before, after]) expect(await management().open(sealed, 'k1')).toEqual(key);
    await expect(management().open(before.replace(':v1:', ':v2:'), 'k1')).rejects.toEqual(unreadable);
    await expect(management().open(before.replace(':v1:', ':v9:'), 'k1')).rejects.toEqual(unreadable);
  });

  it('that is sealed for a moment is asked again', async () => {
    const sealed = await management().seal(key, 'k1');
    await vault.seal();
    const asked = vi.spyOn(globalThis, 'fetch');
    const opened = management().open(sealed, 'k1');
    const first = await until(() => asked.mock.results[0]?.value as Promise<Response> | undefined);
    await vault.unseal();
    expect([first.status, await opened]).toEqual([503, key]);
  });

  it('that stays sealed stops the start with a reason', async () => {
    const sealed = await management().seal(key, 'k1');
    await vault.seal();
    onTestFinished(() => vault.unseal());
    await expect(management().open(sealed, 'k1')).rejects.toThrow('Vault answered 503 to decrypt');
  });

  it('that is asked too often is asked again later', async () => {
    const sealed = await management().seal(key, 'k1');
    await vault.limit(1);
    onTestFinished(() => vault.limit(1_000));
    const asked = vi.spyOn(globalThis, 'fetch');
    expect(await Promise.all([0, 1].map(() => management().open(sealed, 'k1')))).toEqual([key, key]);
    const answers = asked.mock.settledResults.map(({ value }) => (value as Response).status);
    expect(answers).toContain(429);
  });

  it('that denies us stops the start with a reason, and without the token', async () => {
    const sealsOnly = await vault.tokenFor('transit/encrypt/sluice');
    for (const denied of ['a-wrong-token', sealsOnly]) {
      const failure = management({ SLUICE_KMS_VAULT_TOKEN: denied }).open('vault:v1:AAAA', 'k1');
      await expect(failure).rejects.toThrow('Vault answered 403 to decrypt');
      await expect(failure).rejects.not.toThrow(denied);
    }
  });

  it('without the key opens nothing, and makes none unless the token may create it', async () => {
    const absent = { SLUICE_KMS_VAULT_KEY: 'absent.key' };
    const updates = await vault.tokenFor('transit/encrypt/absent.key', 'transit/decrypt/absent.key');
    const limited = management({ ...absent, SLUICE_KMS_VAULT_TOKEN: updates });
    await expect(limited.seal(key, 'k1')).rejects.toThrow('Vault answered 403 to encrypt');
    await expect(limited.open(await management().seal(key, 'k1'), 'k1')).rejects.toEqual(unreadable);
    const sealed = await management({ ...absent, SLUICE_KMS_VAULT_TOKEN: vault.rootToken }).seal(key, 'k1');
    expect(await limited.open(sealed, 'k1')).toEqual(key);
  });

  it('is found under its mount as Vault writes it, and says where there is none', async () => {
    const sealed = await management({ SLUICE_KMS_VAULT_MOUNT: 'transit/' }).seal(key, 'k1');
    expect(await management().open(sealed, 'k1')).toEqual(key);
    const elsewhere = { SLUICE_KMS_VAULT_MOUNT: 'team/a', SLUICE_KMS_VAULT_TOKEN: vault.rootToken };
    await expect(management(elsewhere).seal(key, 'k1')).rejects.toThrow('Vault answered 404 to encrypt');
  });

  it('is given neither token nor key in an address', async () => {
    const asked = vi.spyOn(globalThis, 'fetch');
    await management().open(await management().seal(key, 'k1'), 'k1');
    expect(asked.mock.calls.map(([address]) => new Request(address).url)).toEqual([
      `${vault.url}/v1/transit/encrypt/sluice`,
      `${vault.url}/v1/transit/decrypt/sluice`,
    ]);
  });
});
