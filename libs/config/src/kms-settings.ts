import { z } from 'zod';
import { urlText } from './schemas.js';
import { choice, secret, setting } from './setting.js';

/** Vault itself writes `transit/`, and redirects a path with two slashes, which nobody follows with a token. */
const mountPath = z
  .string()
  .regex(/^\/*[\w-][\w.-]*(\/[\w-][\w.-]*)*\/*$/)
  .max(200)
  .transform((path) => path.replaceAll(/^\/+|\/+$/g, ''));

/** What the master keys in the settings are sealed by, if by anything. */
export const kmsSettings = choice(
  'SLUICE_KMS',
  {
    none: {},
    local: {
      key: secret('SLUICE_KMS_LOCAL_KEY', z.string().min(1), {
        describe: 'The base64 of 32 bytes that SLUICE_MASTER_KEYS are sealed by; best by _FILE, kept apart from them.',
      }),
    },
    vault: {
      url: setting('SLUICE_KMS_VAULT_URL', urlText('https:', 'http:'), {
        describe: 'The address of HashiCorp Vault or OpenBao, such as https://vault.example.com:8200.',
      }),
      // What a header cannot carry is repeated by the error of who sends it.
      token: secret('SLUICE_KMS_VAULT_TOKEN', z.string().regex(/^[!-~]+$/), {
        describe: 'A token that may decrypt by the key, or encrypt for new-master-key.',
      }),
      mount: setting('SLUICE_KMS_VAULT_MOUNT', mountPath, {
        default: 'transit',
        describe: 'Where the transit engine is mounted.',
      }),
      key: setting('SLUICE_KMS_VAULT_KEY', z.string().regex(/^[\w.-]{1,200}$/), {
        default: 'sluice',
        describe: 'The name of the transit key.',
      }),
    },
  },
  {
    default: 'none',
    describe: 'What SLUICE_MASTER_KEYS are sealed by: none (they stand there themselves), local or vault.',
  },
);
