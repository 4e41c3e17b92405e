import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { environmentWith } from '#libs/config';
import { until } from './until.js';

const scripts = resolve(import.meta.dirname, '../../../deploy/redis');
const run = promisify(execFile);

type Kind = 'sentinel' | 'cluster';

/** The servers that the scripts of deploy/redis start for operators who want to try them. */
export class RedisServers implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'sluice-redis-'));
  readonly password = randomBytes(12).toString('hex');
  addresses: string[] = [];

  private constructor(
    private readonly kind: Kind,
    readonly firstPort: number,
    private readonly env: Readonly<Record<string, string>>,
  ) {}

  /** @param env further settings of the script */
  static async start(kind: Kind, env: Readonly<Record<string, string>> = {}): Promise<RedisServers> {
    const servers = new RedisServers(kind, await sixFreePorts(), env);
    try {
      await servers.startMissing();
      return servers;
    } catch (error) {
      await servers[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Has the script start those that are not running. */
  async startMissing(): Promise<void> {
    const { stdout } = await this.script('start');
    this.addresses = stdout.trim().split('\n').at(-1)?.split(' ') ?? [];
  }

  /** Starts one again that was killed, as the script has started it; what it has become meanwhile it learns from the others. */
  async startAgain(port: number, ...args: string[]): Promise<void> {
    const own = join(this.directory, String(port));
    const place = ['--port', String(port), '--dir', own, '--logfile', join(own, 'redis.log'), '--daemonize', 'yes'];
    await run('redis-server', [join(own, 'redis.conf'), ...args, ...place, '--pidfile', join(own, 'pid')]);
  }

  /** Settings of services that use these servers for broker and session. */
  settings(url: string): Record<string, string> {
    return {
      SLUICE_REDIS_BROKER_URL: url,
      SLUICE_REDIS_SESSION_URL: url,
      SLUICE_REDIS_USERNAME: 'default',
      SLUICE_REDIS_PASSWORD: this.password,
    };
  }

  /** SIGKILL, as a crash. */
  kill(port: number): void {
    process.kill(Number(readFileSync(join(this.directory, String(port), 'pid'), 'utf8')), 'SIGKILL');
  }

  /** A command at one server; sentinels ask for no password. */
  async ask<T>(port: number, withPassword: boolean, ...command: [string, ...string[]]): Promise<T> {
    const password = withPassword ? { password: this.password } : {};
    const redis = new Redis({ port, ...password, maxRetriesPerRequest: 0, retryStrategy: () => null });
    redis.on('error', () => undefined);
    try {
      // The caller knows what the command answers.
      return (await redis.call(...command)) as T;
    } finally {
      redis.disconnect();
    }
  }

  /** redis-cli with what it needs to reach these servers. */
  async cli(...args: string[]): Promise<string> {
    const { stdout } = await run('redis-cli', ['--no-auth-warning', ...args], {
      env: environmentWith({ REDISCLI_AUTH: this.password }),
    });
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.script('stop');
    rmSync(this.directory, { recursive: true, force: true });
  }

  private script(action: 'start' | 'stop'): Promise<{ stdout: string }> {
    const place = { SLUICE_REDIS_PORT: String(this.firstPort), SLUICE_REDIS_PASSWORD: this.password };
    return run(join(scripts, `${this.kind}-create.sh`), [action, this.directory], {
      env: environmentWith({ ...this.env, ...place }),
    });
  }
}

/**
 * The first of six in a row: the scripts count up from it. A cluster's bus has a port 10,000 above, which must lie below those
 * that Linux gives to connections (from 32,768 on).
 */
function sixFreePorts(): Promise<number> {
  return until(async () => {
    const first = 20_000 + Math.floor(Math.random() * 2_700);
    const free = await Promise.all(Array.from({ length: 6 }, (_, index) => isFree(first + index)));
    return free.every(Boolean) && first;
  });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(false));
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
  });
}
