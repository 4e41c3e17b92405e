import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, existsSync, globSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from './free-port.js';
import { until } from './until.js';

/** Who the server and the scripts around it run as: as root PostgreSQL does not run. */
const nobody = 65_534;
export const unprivileged = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};

/** Where the system's package manager has put all programs of PostgreSQL, those for backups too; the newest. */
const postgresPrograms = globSync('/usr/lib/postgresql/*/bin').toSorted().at(-1) ?? '';

/** A directory that whoever is `unprivileged` may write to. */
export async function unprivilegedDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-system-'));
  chmodSync(directory, 0o755);
  if (unprivileged.uid !== undefined) chownSync(directory, unprivileged.uid, unprivileged.gid);
  return directory;
}

interface SystemPostgresOptions {
  readonly directory: string;
  /** Does initdb where there are no files yet; otherwise the server starts on what is there. */
  readonly flags?: readonly string[];
  /** It follows another server, so it is ready before it takes writes. */
  readonly isStandby?: boolean;
}

/**
 * The system's own PostgreSQL, on files of the test's: with pg_dump, pg_basebackup and the like, which fit no newer server.
 * Whoever connects from 127.0.0.1 is trusted; a server that was restored asks for the password `postgres`.
 */
export class SystemPostgres implements AsyncDisposable {
  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
  ) {}

  static async start({ directory, flags = [], isStandby = false }: SystemPostgresOptions): Promise<SystemPostgres> {
    const run = promisify(execFile);
    if (!existsSync(join(directory, 'PG_VERSION'))) {
      const arguments_ = ['--pgdata', directory, '--encoding', 'UTF8', '--locale', 'C', '--username', 'postgres'];
      await run(join(postgresPrograms, 'initdb'), [...arguments_, '--auth', 'trust', '--no-sync'], unprivileged);
    }
    const port = await freePort();
    const child = spawn(
      join(postgresPrograms, 'postgres'),
      [
        ...['-D', directory, '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
        ...['-c', 'fsync=off', ...flags],
      ],
      { ...unprivileged, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const said: string[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => said.push(String(text)));
    const server = new SystemPostgres(child, port);
    await until(() => server.answers(isStandby), { what: 'the system’s PostgreSQL', timeoutMs: 60_000 }).catch(
      async (error: unknown) => {
        await server.stop();
        throw new Error(said.join('').slice(-2_000), { cause: error });
      },
    );
    return server;
  }

  /** Another server in an empty directory, which follows this one by streaming until it is promoted. */
  async startStandby(directory: string): Promise<SystemPostgres> {
    await promisify(execFile)(
      join(postgresPrograms, 'pg_basebackup'),
      ['--dbname', this.urlOf(), '--pgdata', directory, '--write-recovery-conf', '--checkpoint', 'fast', '--no-sync'],
      unprivileged,
    );
    return SystemPostgres.start({ directory, isStandby: true });
  }

  urlOf(database = 'postgres'): string {
    return `postgresql://postgres:postgres@127.0.0.1:${this.port}/${database}`;
  }

  /** What the scripts of deploy/backup find it by. */
  get environment(): Record<string, string> {
    return { PGHOST: '127.0.0.1', PGPORT: String(this.port), PGUSER: 'postgres', PGPASSWORD: 'postgres' };
  }

  async query<Row extends pg.QueryResultRow>(statement: string, database = 'postgres'): Promise<Row[]> {
    const client = new pg.Client({ connectionString: this.urlOf(database) });
    client.on('error', () => undefined);
    await client.connect();
    try {
      const { rows } = await client.query<Row>(statement);
      return rows;
    } finally {
      await client.end();
    }
  }

  /** At once, as a machine is lost. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGQUIT');
    await gone;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private async answers(isStandby: boolean): Promise<boolean> {
    const [row] = await this.query<{ reads: boolean }>('select pg_is_in_recovery() as reads');
    return row?.reads === isStandby;
  }
}
