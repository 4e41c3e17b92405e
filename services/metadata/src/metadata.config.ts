import { z } from 'zod';
import {
  databaseSettings,
  defineConfig,
  integerText,
  kmsSettings,
  listText,
  redisSettings,
  secret,
  serviceSettings,
  setting,
  type ConfigOf,
} from '#libs/config';
import { MasterKeys } from '#libs/encryption';
import { isNetwork } from '#libs/outbound';

const networksText = listText.refine((networks) => networks.every(isNetwork), {
  message: 'must be networks in CIDR notation, such as 10.0.0.0/8',
});

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
  audit: {
    allowedNetworks: setting('SLUICE_METADATA_AUDIT_ALLOWED_NETWORKS', networksText, {
      default: '',
      describe:
        'Networks in CIDR notation, between commas, that the audit log may be forwarded to although they are not public, also without encryption.',
    }),
    timeoutMs: setting('SLUICE_METADATA_AUDIT_TIMEOUT_MS', integerText(100, 60_000), {
      default: 10_000,
      describe: 'How long a receiver of the audit log may take to accept a batch.',
    }),
    pollMs: setting('SLUICE_METADATA_AUDIT_POLL_MS', integerText(20, 60_000), {
      default: 1_000,
      describe: 'How often the audit log is looked at for what its receivers have not got.',
    }),
    sweepSeconds: setting('SLUICE_METADATA_AUDIT_SWEEP_SECONDS', integerText(1, 86_400), {
      default: 3_600,
      describe: 'How often entries are deleted that are older than their workspace keeps them.',
    }),
  },
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
