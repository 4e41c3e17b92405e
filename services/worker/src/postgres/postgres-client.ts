import type { ConnectionOptions } from 'node:tls';
import type { Duplex } from 'node:stream';
import type pg from 'pg';
import { AppError } from '#libs/kernel';
import { parseSourceOptions, type PostgresSourceOptions } from '#libs/source-types';
import type { OpenedSource } from '../connector/connector.js';
import { MessageTap } from './message-tap.js';
import { toConnectionError } from './postgres-errors.js';

/** The largest message, and so the largest row, that a server may send. */
const messageBytesMax = 32 * 1024 * 1024;

/** The driver's connection has these; its published types leave them out. */
interface ClientInside {
  readonly connection: { readonly stream: Duplex };
}

/** Who a session is at its server. A process id alone may be somebody else's by the time it is used. */
export interface BackendIdentity {
  readonly pid: string;
  /** Microseconds since the epoch. */
  readonly start: string;
}

interface SessionFacts extends BackendIdentity {
  readonly checks: boolean;
}

const factsQuery = `
  select pid::text, (extract(epoch from backend_start) * 1000000)::bigint::text as start,
         pg_catalog.current_setting('client_connection_check_interval', true) is not null as checks
    from pg_catalog.pg_stat_activity where pid = pg_catalog.pg_backend_pid()`;

/** A connection to a PostgreSQL source. Ended once, by end or destroy; after a fault nobody may use it again. */
export class PostgresClient {
  private broken = false;

  private constructor(
    readonly client: pg.Client,
    /** Through which the rows of a run go past the driver. */
    readonly tap: MessageTap,
    readonly identity: BackendIdentity,
    /** Whether the server can watch for the death of its client while a statement runs (PostgreSQL 14). */
    readonly checksConnection: boolean,
    readonly options: PostgresSourceOptions,
    private readonly answerTimeoutMs: number,
  ) {
    this.client.on('error', () => (this.broken = true));
    this.client.on('end', () => (this.broken = true));
  }

  /** @throws AppError source.unavailable or source.credentials_wrong, within the timeout */
  static async connect(source: OpenedSource, connectTimeoutMs: number): Promise<PostgresClient> {
    const options = parseSourceOptions('postgres', source.options);
    // Loaded here: a worker that has no PostgreSQL source does not need the driver.
    const { default: driver } = await import('pg');
    const client = new driver.Client({
      host: options.host,
      port: options.port,
      database: options.database,
      user: options.user,
      // Without a password of its own the driver would look for the worker's: in its environment and home directory.
      password: options.password ?? '',
      ssl: sslOf(options.ssl),
      application_name: 'sluice',
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
    });
    // Whoever waits for the client is told as well; without a listener it would end the process.
    client.on('error', () => undefined);
    try {
      await client.connect();
      const tap = new MessageTap(streamOf(client), messageBytesMax);
      const { pid, start, checks } = await readFacts(client, connectTimeoutMs);
      return new PostgresClient(client, tap, { pid, start }, checks, options, connectTimeoutMs);
    } catch (error) {
      destroy(client);
      throw toConnectionError(error);
    }
  }

  get isBroken(): boolean {
    return this.broken;
  }

  get stream(): Duplex {
    return streamOf(this.client);
  }

  /**
   * A short question of the worker's own, which takes no longer than connecting may: behind a link that has died without
   * a word nothing else would end it.
   */
  async ask(sql: string, parameters?: readonly string[]): Promise<pg.QueryResult> {
    const timer = setTimeout(() => this.destroy(), this.answerTimeoutMs);
    try {
      return await this.client.query(sql, parameters && [...parameters]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Says goodbye to the server, within a second. */
  async end(): Promise<void> {
    this.broken = true;
    const timer = setTimeout(() => this.destroy(), 1_000);
    timer.unref();
    await this.client.end().catch(() => undefined);
    clearTimeout(timer);
  }

  /** Drops the connection; the server notices by itself. */
  destroy(): void {
    this.broken = true;
    destroy(this.client);
  }
}

function sslOf({ mode, ca }: PostgresSourceOptions['ssl']): ConnectionOptions | false {
  switch (mode) {
    case 'disable':
      return false;
    case 'require':
      // The wire is encrypted and the server is not proven; that is what this mode means in PostgreSQL's own tools.
      return { rejectUnauthorized: false };
    case 'verify-full':
      return { rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) };
  }
}

/** Its own time limit, as the one for connecting is over by now. */
async function readFacts(client: pg.Client, timeoutMs: number): Promise<SessionFacts> {
  const timer = setTimeout(() => destroy(client), timeoutMs);
  const { rows } = await client.query<SessionFacts>(factsQuery).finally(() => clearTimeout(timer));
  const [facts] = rows;
  if (!facts) throw new AppError('source.unavailable', 'The data source does not show its own sessions.');
  return facts;
}

function destroy(client: pg.Client): void {
  streamOf(client).destroy();
}

function streamOf(client: pg.Client): Duplex {
  // The driver's own field since its first release; pg-cursor and pg-query-stream rest on it too.
  return (client as unknown as ClientInside).connection.stream;
}
