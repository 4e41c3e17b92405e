import { kmsSettings, loadConfig } from '#libs/config';
import type { KeyManagement } from '../src/index.js';
import { keyManagementOf } from '../src/index.js';

/** What a service whose environment says so opens its master keys by. */
export function vaultOf(settings: Readonly<Record<`SLUICE_KMS_VAULT_${string}`, string>>): KeyManagement {
  const management = keyManagementOf(loadConfig({ kms: kmsSettings }, { SLUICE_KMS: 'vault', ...settings }).kms);
  if (!management) throw new Error('the settings name no key management');
  return management;
}
