import { randomBytes } from 'node:crypto';
import { Command, InvalidArgumentError } from 'commander';
import { defineConfig, kmsSettings, loadConfig } from '#libs/config';
import { keyManagementOf } from '#libs/encryption';

/** See docs/keys.md. */
export const newMasterKey = new Command('new-master-key')
  .description(
    'Prints <id>:<key> for SLUICE_MASTER_KEYS: a new key of 32 random bytes, sealed by the key management that\n' +
      'SLUICE_KMS names.',
  )
  .requiredOption('--id <id>', 'letters, digits, dots, hyphens and underscores, such as k2 or 2026-11', keyId)
  .addHelpText(
    'after',
    `
Reads SLUICE_KMS and what belongs to it as the services do.
Exit codes: 0 done, 1 failed, 2 wrong options.`,
  )
  .action(run);

function keyId(text: string): string {
  if (!/^[A-Za-z0-9][\w.-]{0,62}$/.test(text)) {
    throw new InvalidArgumentError('It is a name of letters, digits, dots, hyphens and underscores.');
  }
  return text;
}

async function run({ id }: { readonly id: string }): Promise<void> {
  const management = keyManagementOf(loadConfig(defineConfig({ kms: kmsSettings })).kms);
  const key = randomBytes(32);
  console.log(`${id}:${management ? await management.seal(key, id) : key.toString('base64')}`);
}
