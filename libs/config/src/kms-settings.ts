import { z } from 'zod';
import { urlText } from './schemas.js';
import { choice, secret, setting } from './setting.js';

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
      token: secret('SLUICE_KMS_VAULT_TOKEN', z.string().min(1), {
        describe: 'A token that may encrypt and decrypt by the key.',
      }),
      mount: setting('SLUICE_KMS_VAULT_MOUNT', z.string().regex(/^[\w./-]{1,200}$/), {
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
