// Makes a master key, sealed as SLUICE_KMS says, in the form of SLUICE_MASTER_KEYS. See docs/keys.md.
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { defineConfig, kmsSettings, loadConfig } from '#libs/config';
import { keyManagementOf } from '#libs/encryption';

const help = `npm run -s new-master-key -- --id <id>

Prints <id>:<key> for SLUICE_MASTER_KEYS: a new key of 32 random bytes, sealed by the key management that SLUICE_KMS names.

  --id <id>  letters, digits, dots, hyphens and underscores, such as k2 or 2026-11
  --help     this text

Reads SLUICE_KMS and what belongs to it as the services do.
Exit codes: 0 done, 1 failed, 2 wrong options.`;

function readId(): string {
  const { values } = parseArgs({ options: { id: { type: 'string' }, help: { type: 'boolean', default: false } } });
  if (values.help) {
    console.log(help);
    process.exit(0);
  }
  if (values.id === undefined || !/^[A-Za-z0-9][\w.-]{0,62}$/.test(values.id)) {
    throw new Error('--id is a name of letters, digits, dots, hyphens and underscores');
  }
  return values.id;
}

async function run(id: string): Promise<void> {
  const management = keyManagementOf(loadConfig(defineConfig({ kms: kmsSettings })).kms);
  const key = randomBytes(32);
  console.log(`${id}:${management ? await management.seal(key, id) : key.toString('base64')}`);
}

try {
  const id = readId();
  await run(id).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  });
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
  process.exitCode = 2;
}
