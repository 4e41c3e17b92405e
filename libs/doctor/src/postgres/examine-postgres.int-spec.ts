import { tmpdir } from 'node:os';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HealthReport } from '#libs/contracts';
import { startPostgres, until, type PostgresServer } from '#libs/testing';
import { examineService } from '../examine-service.js';
import { thresholds, type Thresholds } from '../thresholds.js';
import { examinePostgres } from './examine-postgres.js';
import type { Query } from './postgres-subject.js';

let server: PostgresServer;
let url: string;
let pool: pg.Pool;

beforeAll(async () => {
  // As a production server is; the tests' own are faster and less safe.
  const sound = ['-c', 'fsync=on', '-c', 'archive_mode=on', '-c', 'archive_command=true'];
  server = await startPostgres({ flags: [...sound, '-c', `unix_socket_directories=${tmpdir()}`] });
  url = await server.createDatabase();
  pool = new pg.Pool({ connectionString: url, statement_timeout: 15_000, max: 1 });
  await pool.query('create schema orchestrator; create table orchestrator.run (id integer primary key, state text)');
});
afterAll(async () => {
  await pool.end();
  await server.stop();
});

const queryBy = (client: pg.Pool | pg.Client): Query => {
  return async <Row>(sql: string, parameters: readonly unknown[] = []) =>
    // The type of the rows is what the statement says.
    (await client.query(sql, [...parameters])).rows as Row[];
};

const examine = (limits: Partial<Thresholds> = {}, client: pg.Pool | pg.Client = pool): Promise<HealthReport> =>
  examinePostgres(queryBy(client), { ...thresholds, ...limits });

function foundBy({ findings }: HealthReport, check: string): string[] {
  return findings.filter((finding) => finding.check === check).map(({ severity, what }) => `${severity} ${what}`);
}

async function withClient(work: (client: pg.Client) => Promise<void>, config: pg.ClientConfig = {}): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'somebody', ...config });
  // A backend that is ended from outside tells it by an event.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

describe('the doctor of PostgreSQL', () => {
  it('finds nothing in a sound server, and checks all of it', async () => {
    const { findings, notChecked, measurements } = await examine();
    expect([findings, notChecked]).toEqual([[], []]);
    expect(measurements.find(({ name }) => name === 'orchestrator.run')).toMatchObject({ unit: 'bytes' });
  });

  it('is the same server by its socket as by the loopback of its machine', async () => {
    const subjects: string[] = [];
    const { port } = server;
    const { username, password, pathname } = new URL(url);
    const bySocket = {
      host: tmpdir(),
      port,
      user: username,
      password,
      database: pathname.slice(1),
    };
    for (const config of [{}, { connectionString: undefined, ...bySocket }]) {
      await withClient(async (client) => {
        const { measurements } = await examine({}, client);
        subjects.push(...new Set(measurements.map(({ subject }) => subject)));
      }, config);
    }
    expect(subjects).toEqual(Array(2).fill(`PostgreSQL ${pathname.slice(1)} at 127.0.0.1:${port}`));
  });

  it('finds that few connections are left', async () => {
    expect(foundBy(await examine({ connectionShareWarning: 0.001 }), 'postgres.connections')).toEqual([
      expect.stringMatching(/^WARNING \d+ of 200 connections are taken, and 3 of them are kept for administrators\.$/),
    ]);
  });

  it('finds a transaction that was left open, and a migration that waits for it, and who is to be ended', async () => {
    await withClient(async (holder) => {
      await holder.query('begin; lock table orchestrator.run');
      await withClient(async (migration) => {
        const blocked = migration.query('alter table orchestrator.run add column more text');
        await until(async () => {
          const { rowCount } = await pool.query(`select 1 from pg_stat_activity where wait_event_type = 'Lock'`);
          return rowCount === 1;
        });
        const report = await examine({ lockSeconds: -1, transactionSeconds: -1 });
        expect(foundBy(report, 'postgres.locks')).toEqual([
          expect.stringMatching(/^CRITICAL somebody has waited for a lock for \d+ s, held by \d+\.$/),
        ]);
        expect(foundBy(report, 'postgres.transactions')).toContainEqual(
          expect.stringMatching(
            /^WARNING A transaction of somebody has been open for \d+ s \(idle in transaction\)\.$/,
          ),
        );
        // What it is told to do mends it.
        const mend = report.findings.find(({ check }) => check === 'postgres.locks')?.mend ?? '';
        await pool.query(/'(select .*)'/.exec(mend)?.[1] ?? '');
        await blocked;
      });
    });
    expect(foundBy(await examine({ lockSeconds: -1 }), 'postgres.locks')).toEqual([]);
  });

  it('finds a table that is full of dead rows', async () => {
    await pool.query(`create table orchestrator.full_of_dead (id integer) with (autovacuum_enabled = off)`);
    await pool.query(`insert into orchestrator.full_of_dead select generate_series(1, 2000)`);
    await pool.query(`delete from orchestrator.full_of_dead where id > 500`);
    await until(async () => foundBy(await examine({ deadRowsMin: 1_000 }), 'postgres.bloat').length > 0);
    const report = await examine({ deadRowsMin: 1_000 });
    expect(foundBy(report, 'postgres.bloat')).toEqual([
      'WARNING 75 % of orchestrator.full_of_dead are dead rows (1500).',
    ]);
    expect(report.findings[0]?.mend).toBe(`psql -c 'vacuum (analyze) orchestrator.full_of_dead'`);
    await pool.query('drop table orchestrator.full_of_dead');
  });

  it('finds a slot that nobody reads and that keeps WAL', async () => {
    await pool.query(`select pg_create_physical_replication_slot('left_over', true)`);
    await pool.query('select pg_switch_wal()');
    expect(foundBy(await examine({ retainedWalBytes: -1 }), 'postgres.slots')).toEqual([
      expect.stringMatching(/^WARNING Nobody reads the replication slot left_over, which keeps \d+ bytes/),
    ]);
    await pool.query(`select pg_drop_replication_slot('left_over')`);
  });

  it('finds an index that was not built to its end', async () => {
    await pool.query('insert into orchestrator.run values (1), (2)');
    await pool
      .query(`create unique index concurrently run_broken on orchestrator.run ((state is null))`)
      .catch(() => undefined);
    expect(foundBy(await examine(), 'postgres.indexes')).toEqual([
      'WARNING The index orchestrator.run_broken is not valid.',
    ]);
    await pool.query('drop index orchestrator.run_broken');
  });

  it('finds settings by which what was acknowledged is lost, and that nothing is cleared away', async () => {
    await pool.query('alter system set synchronous_commit = off');
    await pool.query('alter system set autovacuum = off');
    await pool.query('select pg_reload_conf()');
    await until(async () => foundBy(await examine(), 'postgres.autovacuum').length > 0);
    expect(foundBy(await examine(), 'postgres.durability')).toEqual(['CRITICAL synchronous_commit is off.']);
    await pool.query('alter system reset all');
    await pool.query('select pg_reload_conf()');
  });

  it('finds a pooler that drops the time limits of the services', async () => {
    await withClient(async (client) => {
      expect(foundBy(await examine({}, client), 'postgres.pooling')).toEqual([
        'WARNING The time limits that services ask for do not reach it.',
      ]);
    });
  });

  it('needs no right but to connect', async () => {
    await pool.query('create role nobody_much login password $$nobody$$');
    await withClient(
      async (client) => {
        const { findings } = await examine({}, client);
        expect(findings).toEqual([]);
      },
      { user: 'nobody_much', password: 'nobody', statement_timeout: 1_000 },
    );
  });

  it('finds a clock that goes otherwise', async () => {
    expect(foundBy(await examine({ clockSkewMs: -1 }), 'postgres.clock')).toEqual([
      expect.stringMatching(/^WARNING Its clock is \d+ ms (ahead of|behind) this machine's\.$/),
    ]);
  });

  it('finds a server that cannot be reached', async () => {
    const gone = new pg.Pool({ connectionString: 'postgresql://127.0.0.1:1/none' });
    const report = await examine({}, gone);
    expect(foundBy(report, 'postgres.reachable')).toEqual([expect.stringMatching(/^CRITICAL It does not answer: /)]);
    await gone.end();
  });
});

describe('the doctor of a service', () => {
  const database = {
    query: (sql: string, parameters?: readonly unknown[]) => queryBy(pool)(sql, parameters),
    schema: 'orchestrator',
    pool: { max: 10, port: 6432 },
    migrations: async () => ({ known: ['First1', 'Second2'], applied: ['First1'] }),
    backlog: async () => ({ unpublished: 3, oldestSeconds: 90 }),
  } as Parameters<typeof examineService>[0];

  it('finds migrations that are not applied, and events that are not told', async () => {
    const report = await examineService(database, { withDatabase: true });
    expect(report.findings.map(({ severity, what }) => `${severity} ${what}`)).toEqual([
      'CRITICAL 1 migrations of orchestrator are not applied: Second2.',
      'WARNING 3 events of orchestrator wait to be told, the oldest for 90 s.',
    ]);
    // The server listens elsewhere than where the service connects to.
    expect(report.measurements).toContainEqual(expect.objectContaining({ name: 'pooler between', value: 1 }));
  });
});
