import pg from 'pg';
import { startPostgres, type PostgresServer } from '#libs/testing';
import type { OpenedSource, SourceSession } from '../src/connector/connector.js';
import { PostgresConnector } from '../src/postgres/postgres-connector.js';

export const connectorLimits = { connectTimeoutMs: 2_000, idleMax: 2, idleMs: 30_000, trustedMs: 0 };

/** A PostgreSQL with tables that its role `reader` may read and others, and a connector to it that each test has anew. */
export class PostgresSuite {
  connector = new PostgresConnector(connectorLimits);
  private runs = 0;

  private constructor(
    private readonly server: PostgresServer,
    readonly admin: pg.Client,
    readonly source: OpenedSource,
  ) {}

  static async start(): Promise<PostgresSuite> {
    const server = await startPostgres();
    const url = new URL(await server.createDatabase());
    const admin = new pg.Client({ connectionString: url.href });
    await admin.connect();
    // The schema `other` is readable too, and is no schema of the source until its options name it.
    await admin.query(`
      create role reader login password 'secret';
      create table numbers as select n, 'row ' || n as text from generate_series(1, 200000) n;
      create table secrets (owner text, value text);
      insert into secrets values ('alice', 'a'), ('bob', 'b');
      create type mood as enum ('sad', 'glad');
      create domain cents as integer;
      grant select on numbers to reader;
      create schema other;
      create table other.here (a int);
      grant usage on schema other to reader;
      grant select on other.here to reader;
    `);
    const [host, port, database] = [url.hostname, Number(url.port), url.pathname.slice(1)];
    const options = { host, port, database, user: 'reader', password: 'secret' };
    return new PostgresSuite(server, admin, { id: 'src_1', version: 1, options });
  }

  async renewConnector(): Promise<void> {
    await this.connector.close();
    this.connector = new PostgresConnector(connectorLimits);
  }

  /** Of the session that was opened last. */
  get runId(): string {
    return `run_${this.runs}`;
  }

  /** What the server calls the session that was opened last. */
  get sessionName(): string {
    return `sluice ${this.runId} usr_1`;
  }

  open(timeoutMs = 30_000, from: OpenedSource = this.source): Promise<SourceSession> {
    this.runs += 1;
    const asker = { workspaceId: 'wsp_1', submittedById: 'usr_1' };
    return this.connector.open(from, { runId: this.runId, ...asker, timeoutMs });
  }

  async answer(sql: string): Promise<unknown[]> {
    const session = await this.open();
    try {
      return await rowsOf(session, sql);
    } finally {
      await session.close();
    }
  }

  async sessionsNamed(name: string): Promise<number> {
    const { rowCount } = await this.admin.query('select from pg_stat_activity where application_name = $1', [name]);
    return rowCount ?? 0;
  }

  async waitEventOf(name: string): Promise<string | undefined> {
    const { rows } = await this.admin.query<{ wait_event: string }>(
      "select wait_event from pg_stat_activity where application_name = $1 and backend_type = 'client backend'",
      [name],
    );
    return rows[0]?.wait_event;
  }

  async stop(): Promise<void> {
    await this.connector.close();
    await this.admin.end();
    await this.server.stop();
  }
}

export async function rowsOf(session: SourceSession, sql: string): Promise<unknown[]> {
  const stream = await session.query(sql);
  const rows: unknown[] = [];
  for (let batch = await stream.next(); batch; batch = await stream.next()) {
    for (const row of batch.rows) rows.push(JSON.parse(row));
  }
  return rows;
}
