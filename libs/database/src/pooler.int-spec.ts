import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { DataSource, type MigrationInterface, type QueryRunner } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { databaseSettings, loadConfig } from '#libs/config';
import { AppLogger } from '#libs/telemetry';
import { PgBouncer, startPostgres, until, type PostgresServer } from '#libs/testing';
import { waitFor, writeThatWaits } from '../test/waiting-commits.js';
import { dataSourceOptions, migrationOptions } from './connection/data-source-options.js';
import { connectOnce, openDataSource } from './connection/open-data-source.js';
import { asDatabaseFault, inTransaction, queryPrepared } from './index.js';

// What stands in deploy/postgres is what is tried.
const files = resolve(import.meta.dirname, '../../../deploy/postgres');
const role = 'sluice_metadata';
const password = "p4ss:w/o'rd";
const admin = 'pgbouncer_admin';

class CreateTable1700000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('create table metadata.counter (id text primary key, value integer not null)');
    await runner.query(`insert into metadata.counter values ('a', 0)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table metadata.counter');
  }
}

class IndexTable1700000000001 implements MigrationInterface {
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('create index concurrently counter_value on metadata.counter (value)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop index concurrently metadata.counter_value');
  }
}

let server: PostgresServer;
let bouncer: PgBouncer;
let direct: string;
let usersText: string;
const opened: DataSource[] = [];

beforeAll(async () => {
  server = await startPostgres({ auth: 'scram-sha-256' });
  direct = await server.createDatabase();
  const client = new pg.Client({ connectionString: direct });
  await client.connect();
  for (const name of [role, admin]) {
    await client.query(`create role ${name} login password ${client.escapeLiteral(password)}`);
  }
  await client.query(`create schema metadata authorization ${role}`);
  const users = await client.query<{ format: string }>(await readFile(resolve(files, 'userlist.sql'), 'utf8'));
  await client.end();
  usersText = users.rows.map(({ format }) => `${format}\n`).join('');
  bouncer = await startBouncer();
});
afterAll(async () => {
  await Promise.all(opened.splice(0).map((dataSource) => dataSource.destroy()));
  await bouncer.stop();
  await server.stop();
});

const startBouncer = (configuration = resolve(files, 'pgbouncer.ini')): Promise<PgBouncer> =>
  PgBouncer.start({
    configuration,
    users: usersText,
    server: { port: server.port, database: new URL(direct).pathname.slice(1) },
  });

function directUrl(): string {
  const url = new URL(direct);
  url.username = role;
  url.password = encodeURIComponent(password);
  return url.href;
}

/** One connection to the server for each role. */
async function startSmall(more: Record<string, number>): Promise<PgBouncer> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-pooler-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const configuration = join(directory, 'pgbouncer.ini');
  const text = await readFile(resolve(files, 'pgbouncer.ini'), 'utf8');
  const small = { default_pool_size: 1, min_pool_size: 0, reserve_pool_size: 0, ...more };
  const changed = Object.entries(small).reduce(
    (all, [name, value]) => all.replace(new RegExp(`^${name} = .*$`, 'm'), `${name} = ${value}`),
    text,
  );
  await writeFile(configuration, changed);
  return startBouncer(configuration);
}

function optionsOf(
  pooling: string,
  more: Record<string, string> = {},
  migrations = [CreateTable1700000000000],
  through = bouncer,
) {
  const settings = loadConfig(databaseSettings('metadata'), {
    SLUICE_DATABASE_URL: through.urlOf(role, password),
    SLUICE_DATABASE_POOLING: pooling,
    ...more,
  });
  const logger = AppLogger.create({ service: 'metadata', instance: 'm1', level: 'silent' });
  const options = dataSourceOptions({ service: 'metadata', settings, entities: [], migrations, logger });
  return { options, settings };
}

async function open(...of: Parameters<typeof optionsOf>): Promise<DataSource> {
  const { options, settings } = optionsOf(...of);
  const dataSource = await openDataSource(options, migrationOptions(options, settings));
  opened.push(dataSource);
  return dataSource;
}

describe('Behind PgBouncer in transaction mode, with the pgbouncer.ini of deploy/postgres', () => {
  it('a service migrates and works without a prepared statement, over fewer connections than it has', async () => {
    const dataSource = await open('transaction');
    const raise = 'update metadata.counter set value = value + $2 where id = $1 returning value';
    // More at once than the ten connections of the service; they move over the server's connections with each transaction.
    await Promise.all(Array.from({ length: 200 }, () => queryPrepared(dataSource, raise, ['a', 1])));
    expect(await dataSource.query(`select value from metadata.counter where id = 'a'`)).toEqual([{ value: 200 }]);
    const prepared: unknown[] = await dataSource.query('select name from pg_prepared_statements');
    expect(prepared).toEqual([]);
    const pools = await bouncer.ask(admin, password, 'show pools');
    expect(pools.find(({ user }) => user === role)).toMatchObject({ pool_mode: 'transaction' });
  });

  it('every statement, lock and idle transaction is bounded as it is without a pooler', async () => {
    const dataSource = await open('transaction');
    const [row]: unknown[] = await dataSource.query(
      `select current_setting('application_name') as name, current_setting('statement_timeout') as statement,
              current_setting('lock_timeout') as lock, current_setting('idle_in_transaction_session_timeout') as idle`,
    );
    expect(row).toEqual({ name: 'sluice-metadata', statement: '15s', lock: '5s', idle: '15s' });
  });

  it('what a transaction sets and locks ends with it, whoever has the connection next', async () => {
    const dataSource = await open('transaction');
    await inTransaction(dataSource, async (manager) => {
      await manager.query(`set local search_path = 'nowhere'`);
      await manager.query(`select pg_advisory_xact_lock(42)`);
    });
    const seen = await Promise.all(
      Array.from({ length: 20 }, () =>
        dataSource.query(`select current_setting('search_path') as path,
          (select count(*)::int from pg_locks where locktype = 'advisory') as locks`),
      ),
    );
    expect(new Set(seen.flat().map((row) => JSON.stringify(row)))).toEqual(
      new Set([JSON.stringify({ path: '"$user", public', locks: 0 })]),
    );
  });

  it('an index is built past the pooler, and without a way past it the service says what is missing', async () => {
    const migrations = [CreateTable1700000000000, IndexTable1700000000001];
    await expect(open('transaction', {}, migrations)).rejects.toThrow(/past the pooler as a DATABASE_MIGRATION_URL/);
    const dataSource = await open('transaction', { SLUICE_DATABASE_MIGRATION_URL: directUrl() }, migrations);
    expect(
      await dataSource.query(`select indisvalid from pg_index where indexrelid = 'metadata.counter_value'::regclass`),
    ).toEqual([{ indisvalid: true }]);
  });

  it('a pooler that is stopped as the chart stops it, by SIGINT, goes when the transactions under way have ended', async () => {
    await using own = await startBouncer();
    const client = new pg.Client({ connectionString: own.urlOf(role, password) });
    // It is closed behind the transaction.
    client.on('error', () => undefined);
    await client.connect();
    await client.query('begin');
    const gone = own.stop('SIGINT');
    await client.query('select pg_sleep(0.5)');
    expect(await client.query('commit')).toMatchObject({ command: 'COMMIT' });
    await gone;
  });

  it('a statement that has waited too long for a connection to the server was surely not done, and may be asked again', async () => {
    await using own = await startSmall({ query_wait_timeout: 1 });
    const dataSource = await open('transaction', { SLUICE_DATABASE_MIGRATION_URL: directUrl() }, [], own);
    await dataSource.query('select 1');
    await inTransaction(dataSource, async (manager) => {
      await manager.query('select 1');
      const fault: unknown = await dataSource.query('select 1').catch(asDatabaseFault);
      expect(fault).toMatchObject({ code: 'bus.unavailable', retryable: true });
    });
  });

  it.each([
    ['is not answered', 15],
    ['is refused its turn', 1],
  ])(
    'a commit that waits for a synchronous standby keeps its connection also where the question for it %s, as all connections wait',
    async (_what, query_wait_timeout) => {
      await using own = await startSmall({ query_wait_timeout });
      const { options } = optionsOf('transaction', {}, [], own);
      const pooled = await connectOnce({ ...options, extra: { ...(options.extra as object), answerMs: 700 } });
      const past = await new DataSource({ type: 'postgres', url: direct }).initialize();
      try {
        await pooled.query('create table if not exists metadata.held (n integer)');
        await waitFor(past, 'nobody');
        const { written } = await writeThatWaits(past, () => pooled.query('insert into metadata.held values (1)'));
        const answer = Promise.allSettled([written]);
        const asked = vi.spyOn(pg.Client.prototype, 'connect');
        // What was kept is asked for once more.
        await Promise.race([until(() => asked.mock.calls.length > 1), answer]);
        await waitFor(past, '');
        expect(await answer).toMatchObject([{ status: 'fulfilled' }]);
      } finally {
        await waitFor(past, '');
        await Promise.all([pooled.destroy(), past.destroy()]);
      }
    },
  );

  it('the pooler finds a server that vanishes gone within 20 s, whether that owes an acknowledgement or an answer', async () => {
    const rows = await bouncer.ask(admin, password, 'show config');
    const valueOf = (name: string): number => Number(rows.find(({ key }) => key === name)?.value);
    expect(valueOf('tcp_user_timeout')).toBe(20_000);
    expect(valueOf('tcp_keepidle') + valueOf('tcp_keepintvl') * valueOf('tcp_keepcnt')).toBe(20);
  });

  it('a service that has not been told of the pooler does not start, rather than fail now and then', async () => {
    await expect(open('session')).rejects.toThrow(/unsupported startup parameter/);
  });
});
