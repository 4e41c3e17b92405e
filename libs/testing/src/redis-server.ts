import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environmentWith } from '#libs/config';
import { freePort } from './free-port.js';
import { until } from './until.js';

export interface RedisServerOptions {
  /** Such as 2mb. */
  maxmemory?: string;
  maxmemoryPolicy?: 'noeviction' | 'allkeys-lru';
  /** Keeps an append-only file, so that a restart brings the data back. */
  appendonly?: boolean;
  /** Further arguments of redis-server. */
  args?: readonly string[];
}

/** A real redis-server of the test's own on a free port of 127.0.0.1, which can be hurt in every way that counts. */
export class RedisServer implements AsyncDisposable {
  private process: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    private readonly directory: string,
    private readonly options: RedisServerOptions,
  ) {}

  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const directory = await mkdtemp(join(tmpdir(), 'sluice-redis-'));
    const server = new RedisServer(await freePort(), directory, options);
    await server.launch();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    const pid = this.process?.pid;
    if (pid === undefined) throw new Error('redis-server is not running');
    return pid;
  }

  /** SIGSTOP: connections stay open and nothing is answered. */
  pause(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  /** SIGKILL, as a crash would. Data that is in the append-only file comes back with `launch`. */
  async kill(): Promise<void> {
    const child = this.process;
    this.process = undefined;
    if (!child || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  /** Starts it again on the same port. */
  async launch(): Promise<void> {
    const { maxmemory, maxmemoryPolicy = 'noeviction', appendonly = false, args = [] } = this.options;
    this.process = spawn(
      // `npm run check:valkey` runs the tests on another server of the same protocol.
      environmentWith({})['SLUICE_REDIS_SERVER'] ?? 'redis-server',
      [
        ...['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.directory, '--save', ''],
        ...['--appendonly', appendonly ? 'yes' : 'no', '--maxmemory-policy', maxmemoryPolicy],
        ...(maxmemory === undefined ? [] : ['--maxmemory', maxmemory]),
        ...args,
      ],
      { stdio: 'ignore' },
    );
    await until(() => canPing(this.port), { what: `redis-server on port ${this.port}` });
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.launch();
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

export function startRedis(options?: RedisServerOptions): Promise<RedisServer> {
  return RedisServer.start(options);
}

function canPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const finish = (ok: boolean): void => {
      socket.destroy();
      resolve(ok);
    };
    socket.setTimeout(1_000, () => finish(false));
    socket.once('data', (data) => finish(data.toString().startsWith('+PONG')));
    socket.once('error', () => finish(false));
  });
}
