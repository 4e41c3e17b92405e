import { z } from 'zod';
import {
  databaseSettings,
  defineConfig,
  integerText,
  kmsSettings,
  redisSettings,
  secret,
  serviceSettings,
  setting,
  type ConfigOf,
} from '#libs/config';
import { MasterKeys } from '#libs/encryption';

export const metadataConfig = defineConfig({
  service: serviceSettings('metadata', { metricsPort: 4102 }),
  redis: redisSettings,
  database: databaseSettings('metadata'),
  kms: kmsSettings,
  masterKeys: secret('SLUICE_MASTER_KEYS', z.string().refine(areMasterKeys), {
    describe: 'The master keys, <id>:<base64 of 32 bytes> between commas; the first one encrypts, all decrypt.',
  }),
  dataKeyMaxAgeSeconds: setting('SLUICE_METADATA_DATA_KEY_MAX_AGE_SECONDS', integerText(1, 86_400), {
    default: 300,
    describe: "How long a workspace's data key is kept in memory before auth is asked for it again.",
  }),
});

export type MetadataConfig = ConfigOf<typeof metadataConfig>;

/** Asked with all other settings, so that a wrong key is listed with their faults. */
function areMasterKeys(text: string): boolean {
  try {
    return MasterKeys.parse(text).currentId !== '';
  } catch {
    return false;
  }
}
