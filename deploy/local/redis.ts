import { spawnSync } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fillUsers } from '../redis/fill-users.ts';
import { answers } from './answers.ts';
import { canBeSocketPath } from './socket-path.ts';
import { Child } from './child-process.ts';
import { waitFor } from './wait-for.ts';

const servers = ['redis-server', 'valkey-server'];

/** The Redis program of this machine; installed by the system's package manager where there is none and we may. */
export function findRedisProgram(say: (line: string) => void): string {
  const found = onPath();
  if (found) return found;
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    say('Installing redis-server by apt-get');
    for (const args of [
      ['update', '-qq'],
      ['install', '-y', '-qq', '--no-install-recommends', 'redis-server'],
    ]) {
      spawnSync('apt-get', args, {
        stdio: ['ignore', 2, 2],
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      });
    }
    const installed = onPath();
    if (installed) return installed;
  }
  throw new Error(
    'No Redis was found. Install redis-server or valkey-server (Debian, Ubuntu: apt-get install redis-server; ' +
      'Fedora: dnf install valkey; macOS: brew install redis), or set SLUICE_REDIS_URL to one that runs.',
  );
}

function onPath(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return servers.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
}

export interface LocalRedisOptions {
  role: 'broker' | 'cache';
  program: string;
  port: number;
  /** Of letters, digits, - and _ alone. */
  password: string;
  directory: string;
  logFile: string;
  args?: readonly string[];
}

/** One of the two servers of a local installation: broker with session (kept on disk, never evicts) or cache (copies only). */
export function redisChild({ role, program, port, password, directory, logFile, args = [] }: LocalRedisOptions): Child {
  const byRole =
    role === 'broker'
      ? ['--appendonly', 'yes', '--appendfsync', 'everysec', '--maxmemory', '256mb', '--maxmemory-policy', 'noeviction']
      : [
          ...['--appendonly', 'no', '--maxmemory', '128mb', '--maxmemory-policy', 'allkeys-lru'],
          ...['--lazyfree-lazy-eviction', 'yes'],
        ];
  // What is on the bus is believed and carries tokens, so the port is not open to every user of the machine; and the
  // passwords are in a file, as arguments can be seen by all of them.
  const configuration = join(directory, 'redis.conf');
  const socket = redisSocketIn(directory);
  const users = join(directory, 'users.acl');
  writePrivate(users, usersOf(role, password));
  writePrivate(configuration, `aclfile ${users}\n`);
  return new Child({
    name: `redis-${role}`,
    command: program,
    args: [
      configuration,
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      directory,
      '--save',
      '',
      '--latency-monitor-threshold',
      '100',
      ...(socket === undefined ? [] : ['--unixsocket', socket, '--unixsocketperm', '600']),
      ...byRole,
      ...args,
    ],
    logFile,
  });
}

/** The user of a service, as in production; the password of the default user, which may do everything, stays with the launcher. */
export function redisLoginOf(service: string, password: string): { username: string; password: string } {
  return { username: `sluice-${service}`, password: passwordOf(service, password) };
}

function passwordOf(user: string, password: string): string {
  return createHmac('sha256', password).update(`user ${user}`).digest('base64url');
}

function usersOf(role: 'broker' | 'cache', password: string): string {
  const users = readFileSync(new URL(`../redis/users-${role}.acl`, import.meta.url), 'utf8');
  const hash = createHash('sha256').update(password).digest('hex');
  return fillUsers(users, { passwordOf: (user) => passwordOf(user, password) }).replace(
    /^user default off .*$/m,
    `user default on #${hash} ~* &* +@all`,
  );
}

function writePrivate(file: string, text: string): void {
  writeFileSync(file, text, { mode: 0o600 });
  chmodSync(file, 0o600);
}

/** The socket beside the port of a server with this directory. */
export function redisSocketIn(directory: string): string | undefined {
  const path = join(directory, 'redis.sock');
  return canBeSocketPath(path) ? path : undefined;
}

export function waitForRedis(url: string): Promise<void> {
  const { port, password } = new URL(url);
  return waitFor(`Redis on port ${port}`, () => canPing(Number(port), password), 15_000);
}

function canPing(port: number, password: string): Promise<boolean> {
  const commands = `${password === '' ? '' : `AUTH ${password}\r\n`}PING\r\n`;
  return answers({ port, request: commands, expected: '+PONG\r\n', refused: '-' });
}
