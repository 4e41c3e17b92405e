import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { fillUsers, usersIn } from '../../redis/fill-users.ts';

interface Options {
  readonly role: 'broker' | 'session' | 'cache';
  readonly passwords: string;
  readonly prefix: string;
}

const lengthMin = 16;

/** See docs/redis.md. */
export const redisUsers = new Command('redis-users')
  .description(
    'Prints the ACL file of a Redis: a user for each service that may do what the service does and nothing else, one for\n' +
      'each tool, and the default user switched off.',
  )
  .addOption(
    new Option('--role <role>', 'what the Redis is for').choices(['broker', 'session', 'cache']).makeOptionMandatory(),
  )
  .requiredOption('--passwords <directory>', 'a file for each user, with its password; those that are missing are made')
  .option('--prefix <prefix>', 'SLUICE_REDIS_PREFIX of the installation', prefixText, 'sluice')
  .addHelpText(
    'after',
    `
sluice redis-users --role broker --passwords /etc/sluice/redis/passwords > /etc/sluice/redis/users.acl
A service gets its own by SLUICE_REDIS_USERNAME=<prefix>-<service> and SLUICE_REDIS_PASSWORD_FILE.
Exit codes: 0 done, 1 failed, 2 wrong options.`,
  )
  .action(run);

function prefixText(text: string): string {
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(text)) {
    throw new InvalidArgumentError('It is lower-case letters, digits and hyphens, as SLUICE_REDIS_PREFIX.');
  }
  return text;
}

function run({ role, passwords, prefix }: Options): void {
  const users = readFileSync(new URL(`../../redis/users-${role}.acl`, import.meta.url), 'utf8');
  mkdirSync(passwords, { recursive: true, mode: 0o700 });
  const known = new Map(usersIn(users).map((name) => [name, passwordIn(join(passwords, name))]));
  process.stdout.write(fillUsers(users, { prefix, passwordOf: (name) => known.get(name) }));
}

function passwordIn(file: string): string {
  if (!existsSync(file)) writeFileSync(file, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 });
  const password = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  // Such as what a full disk has left of one: everybody would know it.
  if (password.length < lengthMin) throw new Error(`${file} has no password of ${lengthMin} characters: delete it`);
  return password;
}
