import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from './free-port.js';
import { until } from './until.js';

/** Debian has it where only root looks for programs. */
const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
/** Nobody: as root it does not run, and it needs no user of its own. */
const nobody = 65_534;

interface PgBouncerOptions {
  /** Its pgbouncer.ini, of which addresses alone are replaced by those of the test. */
  readonly configuration: string;
  /** What stands in its userlist.txt. */
  readonly users: string;
  /** The server behind it, and the database that it is called `sluice` for; without one, each by its own name. */
  readonly server: { readonly port: number; readonly database?: string };
}

/** A real PgBouncer of the test's own on a free port of 127.0.0.1. */
export class PgBouncer implements AsyncDisposable {
  private constructor(
    private readonly child: ChildProcess,
    private readonly directory: string,
    readonly port: number,
  ) {}

  static async start({ configuration, users, server }: PgBouncerOptions): Promise<PgBouncer> {
    const directory = await mkdtemp(join(tmpdir(), 'sluice-pgbouncer-'));
    await chmod(directory, 0o755);
    const port = await freePort();
    const ini = (await readFile(configuration, 'utf8'))
      .replace(/^sluice = host=\S+ port=\d+ dbname=\S+/m, addressOf(server))
      .replace(/^listen_port = .*$/m, `listen_port = ${port}`)
      .replace(/^auth_file = .*$/m, `auth_file = ${join(directory, 'userlist.txt')}`);
    await writeFile(join(directory, 'pgbouncer.ini'), ini);
    await writeFile(join(directory, 'userlist.txt'), users);
    const said: string[] = [];
    const child = spawn('pgbouncer', [join(directory, 'pgbouncer.ini')], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PATH: path },
      ...(process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {}),
    });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => said.push(String(text)));
    child.on('error', (error) => said.push(error.message));
    const bouncer = new PgBouncer(child, directory, port);
    await until(() => said.some((text) => text.includes('process up')), {
      what: 'PgBouncer',
    }).catch(async (error: unknown) => {
      await bouncer.stop();
      throw new Error(`PgBouncer does not start: ${said.join('')}`, { cause: error });
    });
    return bouncer;
  }

  urlOf(user: string, password: string, database = 'sluice'): string {
    return `postgresql://${user}:${encodeURIComponent(password)}@127.0.0.1:${this.port}/${database}`;
  }

  /** The answer to a question of its console, such as `show pools`. */
  async ask(user: string, password: string, command: string): Promise<Record<string, string>[]> {
    const url = new URL(this.urlOf(user, password));
    url.pathname = '/pgbouncer';
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    try {
      const { rows } = await client.query<Record<string, string>>(command);
      return rows;
    } finally {
      await client.end();
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.child.exitCode === null && this.child.pid !== undefined) {
      const gone = new Promise((resolve) => this.child.once('exit', resolve));
      this.child.kill(signal);
      await gone;
    }
    await rm(this.directory, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

function addressOf({ port, database }: PgBouncerOptions['server']): string {
  const address = `host=127.0.0.1 port=${port}`;
  return database === undefined ? `* = ${address}` : `sluice = ${address} dbname=${database}`;
}
