import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VaultServer } from '../test/vault-server.js';
import { MasterKeys, openMasterKeys, type KeyManagement } from './index.js';
import { LocalKeyManagement } from './local-key-management.js';
import { VaultKeyManagement } from './vault-key-management.js';

let vault: VaultServer;
beforeAll(async () => {
  vault = await VaultServer.start('sluice');
});
afterAll(() => vault.stop());

const localKey = randomBytes(32).toString('base64');
const vaultOf = (more: { token?: string; key?: string } = {}) =>
  new VaultKeyManagement({ url: vault.url, token: vault.token, mount: 'transit', key: 'sluice', ...more });
const unreadable = expect.objectContaining({ code: 'secret.unreadable' });

/** What stands in the settings. */
async function sealedKeys(management: KeyManagement, keys: Readonly<Record<string, Uint8Array>>): Promise<string> {
  const entries = await Promise.all(
    Object.entries(keys).map(async ([id, key]) => `${id}:${await management.seal(key, id)}`),
  );
  return entries.join(', ');
}

describe.each([
  ['a local key', (): KeyManagement => new LocalKeyManagement(localKey)],
  ['Vault', (): KeyManagement => vaultOf()],
])('master keys sealed by %s', (_, management) => {
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

  it('fail closed when tampered with, and when swapped for one another', async () => {
    const [one = '', other = ''] = (await sealedKeys(management(), keys)).split(', ');
    const swapped = `k2:${other.slice(3)},k1:${one.slice(3)}`;
    const tampered = `${one.slice(0, -8)}AAAAAAA=`;
    for (const text of [swapped, tampered, 'k1:']) {
      await expect(openMasterKeys(text, management())).rejects.toEqual(unreadable);
    }
  });
});

describe('Vault', () => {
  const key = randomBytes(32);

  it('may rotate its own key: what was sealed before still opens', async () => {
    const before = await vaultOf().seal(key, 'k1');
    vault.rotate();
    const after = await vaultOf().seal(key, 'k1');
    expect([before.slice(0, 9), after.slice(0, 9)]).toEqual(['vault:v1:', 'vault:v2:']);
    for (const sealed of [before, after]) expect(await vaultOf().open(sealed, 'k1')).toEqual(key);
  });

  it('that is sealed for a moment is asked again', async () => {
    const sealed = await vaultOf().seal(key, 'k1');
    vault.sealedFor = 2;
    expect(await vaultOf().open(sealed, 'k1')).toEqual(key);
  });

  it('that denies us or cannot be reached stops the start with a reason, and without the token', async () => {
    const denied = vaultOf({ token: 'a-wrong-token' }).seal(key, 'k1');
    await expect(denied).rejects.toThrow('Vault answered 403 to encrypt');
    const nowhere = new VaultKeyManagement({
      url: 'http://127.0.0.1:1',
      token: 't0p',
      mount: 'transit',
      key: 'sluice',
    });
    await expect(nowhere.open('vault:v1:AAAA', 'k1')).rejects.toThrow('Vault cannot be reached');
  });

  it('is given neither token nor key in an address', async () => {
    await vaultOf().seal(key, 'k1');
    expect(new Set(vault.asked)).toEqual(new Set(['/v1/transit/encrypt/sluice', '/v1/transit/decrypt/sluice']));
  });
});
