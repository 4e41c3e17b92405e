import { z } from 'zod';
import {
  configuredEnvironment,
  defineConfig,
  kmsSettings,
  loadConfig,
  secret,
  settingsOf,
  type ConfigDefinition,
  type Environment,
} from '#libs/config';
import { keyManagementOf, openMasterKeys } from '#libs/encryption';

const variable = 'SLUICE_MASTER_KEYS';
const sealed = defineConfig({
  masterKeys: secret(variable, z.string().min(1), { describe: 'The master keys, sealed.' }),
});

/**
 * The environment that a service's settings are read from: that of the process over the configuration file, and where a
 * key management seals the master keys, with these opened.
 * @throws Error where they cannot be
 */
export async function settledEnvironment(definition: ConfigDefinition): Promise<Environment> {
  const env = await configuredEnvironment();
  const hasMasterKeys = settingsOf(definition).some((setting) => setting.variable === variable);
  const management = hasMasterKeys ? keyManagementOf(loadConfig({ kms: kmsSettings }, env).kms) : undefined;
  if (!management) return env;
  const opened = await openMasterKeys(loadConfig(sealed, env).masterKeys, management);
  return { ...env, [variable]: opened, [`${variable}_FILE`]: undefined };
}
