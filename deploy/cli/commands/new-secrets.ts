import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { Command, Option } from 'commander';

/** The keys of the Secret that the chart and the lab's overlay read, and what each is made of. */
const kubernetesKeys: Readonly<Record<string, string>> = {
  'master-keys': 'SLUICE_MASTER_KEYS',
  'signing-keys': 'SLUICE_AUTH_SIGNING_KEYS',
  'cursor-keys': 'SLUICE_GATEWAY_CURSOR_KEYS',
  'redis-password': 'REDIS_PASSWORD',
  'redis-cache-password': 'REDIS_PASSWORD',
  'database-password': 'DATABASE_PASSWORD',
  'administrator-password': 'ADMINISTRATOR_PASSWORD',
};

/** See docs/deploying.md. */
export const newSecrets = new Command('new-secrets')
  .description('Prints new secrets of an installation: master keys, signing keys, cursor keys and passwords.')
  .addOption(
    new Option(
      '--format <format>',
      'env: the .env of deploy/compose, or cut into files for deploy/systemd; kubernetes: a Secret for kubectl apply',
    )
      .choices(['env', 'kubernetes'])
      .default('env'),
  )
  .addHelpText(
    'after',
    `
With kubernetes auth-database-url, metadata-database-url, orchestrator-database-url and results-database-url
are yours to add, but for the lab. With systemd each value is a file that a setting names, and every role
of PostgreSQL has a password of its own in place of DATABASE_PASSWORD (docs/deploying.md says which).
Lose the master keys, and what they seal is lost: keep a copy apart from the database's backups (docs/keys.md).
Exit codes: 0 done, 2 wrong options.`,
  )
  .action(({ format }: { readonly format: string }) => {
    const secrets = newValues();
    console.log(format === 'env' ? environmentOf(secrets) : secretOf(secrets));
  });

function newValues(): Record<string, string> {
  const password = (): string => randomBytes(24).toString('base64url');
  const key = (): string => `k1:${randomBytes(32).toString('base64')}`;
  return {
    DATABASE_PASSWORD: password(),
    REDIS_PASSWORD: password(),
    ADMINISTRATOR_PASSWORD: password(),
    SLUICE_MASTER_KEYS: key(),
    SLUICE_AUTH_SIGNING_KEYS: newSigningKeys(),
    SLUICE_GATEWAY_CURSOR_KEYS: key(),
  };
}

function newSigningKeys(): string {
  const { privateKey } = generateKeyPairSync('ed25519');
  const kid = randomBytes(8).toString('hex');
  return JSON.stringify({ keys: [{ ...privateKey.export({ format: 'jwk' }), kid, alg: 'EdDSA', use: 'sig' }] });
}

/** In single quotes, of which none of the values has one: compose and systemd then take them as they are. */
function environmentOf(secrets: Readonly<Record<string, string>>): string {
  return Object.entries(secrets)
    .map(([name, value]) => `${name}='${value}'`)
    .join('\n');
}

function secretOf(secrets: Readonly<Record<string, string>>): string {
  const values = Object.entries(kubernetesKeys).map(([key, name]) => [key, secrets[name]]);
  const metadata = { name: 'sluice', namespace: 'sluice' };
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata, stringData: Object.fromEntries(values) as object };
  return JSON.stringify(secret, null, 2);
}
