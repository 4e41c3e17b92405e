import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { connect } from 'node:net';
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
  directory: string;
  logFile: string;
  args?: readonly string[];
}

/** One of the two servers of a local installation: broker with session (kept on disk, never evicts) or cache (copies only). */
export function redisChild({ role, program, port, directory, logFile, args = [] }: LocalRedisOptions): Child {
  const byRole =
    role === 'broker'
      ? ['--appendonly', 'yes', '--appendfsync', 'everysec', '--maxmemory', '256mb', '--maxmemory-policy', 'noeviction']
      : ['--appendonly', 'no', '--maxmemory', '128mb', '--maxmemory-policy', 'allkeys-lru'];
  return new Child({
    name: `redis-${role}`,
    command: program,
    args: ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', '', ...byRole, ...args],
    logFile,
  });
}

export function waitForRedis(port: number): Promise<void> {
  return waitFor(`Redis on port ${port}`, () => canPing(port), 15_000);
}

function canPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const finish = (isUp: boolean): void => {
      socket.destroy();
      resolve(isUp);
    };
    socket.setTimeout(1_000, () => finish(false));
    socket.once('data', (data) => finish(data.toString().startsWith('+PONG')));
    socket.once('error', () => finish(false));
  });
}
