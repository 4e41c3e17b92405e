import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.js';
import { until } from './until.js';

/** Where `deploy/tools/s3-server.mjs` puts the server; it is built once for a machine. */
export const s3ServerPath =
  process.env['SLUICE_TEST_S3_SERVER'] ?? join(homedir(), '.cache', 'sluice', 'versitygw-v1.8.0');

/** What holds the server's tests back: it needs Go to be built. `npm test` says so where it is the case. */
export const hasS3Server = existsSync(s3ServerPath);

/** A real S3 server of the test's own on a free port of 127.0.0.1: versitygw over a directory. */
export class S3Server implements AsyncDisposable {
  readonly accessKeyId = 'test-access';
  readonly secretAccessKey = 'test-secret';
  readonly bucket = 'results';
  private process: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    /** Where its files lie. */
    readonly directory: string,
    private readonly ownsDirectory: boolean,
  ) {}

  /** @param directory a new one of its own where it is not given */
  static async start(directory?: string): Promise<S3Server> {
    const root = directory ?? (await mkdtemp(join(tmpdir(), 'sluice-s3-')));
    const server = new S3Server(await freePort(), root, directory === undefined);
    await mkdir(join(server.directory, 'data', server.bucket), { recursive: true });
    await mkdir(join(server.directory, 'about'), { recursive: true });
    await server.launch();
    return server;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** As a service's environment names it. */
  get settings(): Record<string, string> {
    return {
      SLUICE_STORE: 's3',
      SLUICE_STORE_S3_BUCKET: this.bucket,
      SLUICE_STORE_S3_ENDPOINT: this.endpoint,
      SLUICE_STORE_S3_REGION: 'us-east-1',
      SLUICE_STORE_S3_PATH_STYLE: 'true',
      SLUICE_STORE_S3_CREDENTIALS: 'keys',
      SLUICE_STORE_S3_ACCESS_KEY_ID: this.accessKeyId,
      SLUICE_STORE_S3_SECRET_ACCESS_KEY: this.secretAccessKey,
    };
  }

  /** Starts it again on the same port and directory. */
  async launch(): Promise<void> {
    this.process = spawn(
      s3ServerPath,
      [
        ...['--port', `127.0.0.1:${this.port}`, '--access', this.accessKeyId, '--secret', this.secretAccessKey],
        // Not every file system has the extended attributes that would hold what it knows about objects.
        ...[
          '--quiet',
          '--keep-alive',
          'posix',
          '--sidecar',
          join(this.directory, 'about'),
          join(this.directory, 'data'),
        ],
      ],
      { stdio: 'ignore' },
    );
    await until(() => answers(this.endpoint), { what: `the S3 server on port ${this.port}` });
  }

  /** SIGSTOP: connections stay open and nothing is answered. */
  async pause(): Promise<void> {
    const pid = this.process?.pid;
    if (pid === undefined) throw new Error('the S3 server is not running');
    process.kill(pid, 'SIGSTOP');
    // Its threads stop one after the other.
    await until(async () => /\) T/.test(await readFile(`/proc/${pid}/stat`, 'utf8')), {
      what: 'the S3 server to stop',
    });
  }

  resume(): void {
    this.process?.kill('SIGCONT');
  }

  /** SIGKILL, as a crash would. */
  async kill(): Promise<void> {
    const child = this.process;
    this.process = undefined;
    if (!child || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    if (this.ownsDirectory) await rm(this.directory, { recursive: true, force: true });
  }
}

async function answers(endpoint: string): Promise<boolean> {
  try {
    return (await fetch(endpoint)).status > 0;
  } catch {
    return false;
  }
}
