import { describe, expect, it } from 'vitest';
import { kmsSettings, loadConfig } from './index.js';

function kmsOf(vault: Readonly<Record<string, string>>): unknown {
  const env = {
    SLUICE_KMS: 'vault',
    SLUICE_KMS_VAULT_URL: 'https://vault:8200',
    SLUICE_KMS_VAULT_TOKEN: 'hvs.t',
    ...vault,
  };
  return loadConfig({ kms: kmsSettings }, env).kms;
}

describe('the settings of Vault', () => {
  it('take a token only as a header can carry it, and do not repeat another', () => {
    for (const token of ['# renewed\nhvs.secret', 'hvs.secret ', 'hvs.sécret']) {
      expect(() => kmsOf({ SLUICE_KMS_VAULT_TOKEN: token })).toThrow(/^(?!.*cret)[^]*SLUICE_KMS_VAULT_TOKEN is wrong/);
    }
  });

  it.each(['team//transit', '..', 'team/../transit', '.transit', '/'])(
    'refuse %s as a mount, which no server has',
    (mount) => {
      expect(() => kmsOf({ SLUICE_KMS_VAULT_MOUNT: mount })).toThrow('SLUICE_KMS_VAULT_MOUNT');
    },
  );

  it('take a mount as Vault lists it', () => {
    expect(kmsOf({ SLUICE_KMS_VAULT_MOUNT: 'team/transit/' })).toMatchObject({ mount: 'team/transit' });
    expect(kmsOf({})).toMatchObject({ mount: 'transit', token: 'hvs.t' });
  });
});
