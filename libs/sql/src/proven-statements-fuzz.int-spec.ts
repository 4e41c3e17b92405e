import { isDeepStrictEqual } from 'node:util';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppError } from '#libs/kernel';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { anyStatement } from '../test/any-statement.js';
import { proveReadOnly, type SqlDialect } from './index.js';

/** 100,000 in the nightly run. */
const cases = Number(process.env['SLUICE_FUZZ_CASES'] ?? 2_000);
const timeoutMs = 60_000 + cases * 20;
/** What one proof may take of the processor. */
const hangMs = 100;
/** Looking at all that is there takes longer than a statement. */
const casesPerLook = 100;

/** The server as a superuser has it, who may write: only the proof stands between a statement and the data. */
interface Target {
  readonly dialect: SqlDialect;
  /** Runs a proven statement and undoes what it has done. True where it ran; rejects where it wrote. */
  run(sql: string): Promise<boolean>;
  /** All that a statement could change, even where it is undone. */
  state(): Promise<unknown>;
}

class WrittenError extends Error {
  constructor(sql: string) {
    super(`a proven statement has written: ${sql}`);
  }
}

async function isProven(dialect: SqlDialect, sql: string): Promise<boolean> {
  const before = process.threadCpuUsage();
  try {
    await proveReadOnly(dialect, sql);
    return true;
  } catch (error) {
    if (error instanceof AppError && /^sql\.(rejected|not_read_only|too_long)$/.test(error.code)) return false;
    throw error;
  } finally {
    const { user, system } = process.threadCpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(hangMs);
  }
}

/** Resolves with how many statements ran, and all that was there before and is behind them. */
async function fuzz(target: Target): Promise<{ ran: number; before: unknown; behind: unknown }> {
  await isProven(target.dialect, 'select 1');
  const before = await target.state();
  let ran = 0;
  let asked = 0;
  const property = fc.asyncProperty(anyStatement, async (sql) => {
    asked += 1;
    if ((await isProven(target.dialect, sql)) && (await target.run(sql))) ran += 1;
    if (asked % casesPerLook === 0 && !isDeepStrictEqual(await target.state(), before)) {
      throw new Error(`one of the last ${casesPerLook} statements has written`);
    }
  });
  await fc.assert(property, { numRuns: cases });
  return { ran, before, behind: await target.state() };
}

describe('PostgreSQL', () => {
  let server: PostgresServer;
  let client: pg.Client;

  beforeAll(async () => {
    server = await startPostgres();
    client = new pg.Client({ connectionString: await server.createDatabase() });
    await client.connect();
    await client.query(`
      create table t (a int, b text); insert into t values (1, 'x'), (2, 'y');
      create table u (a int); insert into u values (1);
      create sequence s; select nextval('s');
      create function writes() returns int language sql volatile as 'insert into t values (9) returning a';
      create function writes(int) returns int language sql volatile as 'insert into t values ($1) returning a';
      create type evil as (a int)`);
  });
  afterAll(async () => {
    await client.end();
    await server.stop();
  });

  const target: Target = {
    dialect: 'postgres',
    run: async (sql) => {
      await client.query(`begin; set local statement_timeout = '250ms'`);
      try {
        // As workers send it: one statement, whatever the text is.
        const sent = { text: sql, values: [], queryMode: 'extended' };
        const hasRun = await client.query(sent).then(
          () => true,
          () => false,
        );
        if (!hasRun) return false;
        const { rows } = await client.query<{ wrote: boolean }>(
          `select pg_current_xact_id_if_assigned() is not null as wrote`,
        );
        if (rows[0]?.wrote !== false) throw new WrittenError(sql);
        return true;
      } finally {
        await client.query('rollback');
      }
    },
    state: async () => {
      const { rows } = await client.query(`
        select (select array_agg(t order by a) from t)::text as t, (select array_agg(u) from u)::text as u,
          (select last_value from s) as s, (select count(*) from pg_class) as relations, (select count(*) from pg_proc) as functions,
          (select count(*) from pg_largeobject_metadata) as large_objects, (select count(*) from pg_roles) as roles,
          (select count(*) from pg_locks where locktype = 'advisory') as locks, (select count(*) from pg_prepared_statements) as prepared,
          (select count(*) from pg_cursors) as cursors, array(select pg_listening_channels()) as channels,
          (select md5(string_agg(name || setting, ',' order by name)) from pg_settings
            where name not in ('in_hot_standby', 'transaction_isolation')) as settings`);
      return rows;
    },
  };

  it('writes nothing, whatever statement is proven', { timeout: timeoutMs }, async () => {
    const { ran, before, behind } = await fuzz(target);
    expect(behind).toEqual(before);
    // A generator whose statements are all refused would prove nothing.
    expect(ran).toBeGreaterThan(cases / 10);
  });
});

describe('DuckDB', () => {
  let instance: DuckDBInstance;
  let connection: DuckDBConnection;

  beforeAll(async () => {
    instance = await DuckDBInstance.create(':memory:');
    connection = await instance.connect();
    await connection.run(`create table t (a int, b text); insert into t values (1, 'x'), (2, 'y'); create table u (a int);
      insert into u values (1); create sequence s; create macro writes(x) as x`);
    await connection.run(`select nextval('s')`);
  });
  afterAll(() => {
    connection.closeSync();
    instance.closeSync();
  });

  const read = async (sql: string): Promise<unknown[]> => (await connection.runAndReadAll(sql)).getRowsJson();
  const target: Target = {
    dialect: 'duckdb',
    run: async (sql) => {
      await connection.run('begin transaction');
      const timer = setTimeout(() => connection.interrupt(), 250);
      let hasRun = false;
      try {
        await connection.runAndReadUntil(sql, 100);
        hasRun = true;
        // What was written in the transaction is seen by it.
        if (!isDeepStrictEqual(await read('select count(*), sum(a) from t'), [['2', '3']])) {
          throw new WrittenError(sql);
        }
        return true;
      } catch (error) {
        if (hasRun) throw error;
        return false;
      } finally {
        clearTimeout(timer);
        await connection.run('rollback').catch(() => undefined);
      }
    },
    state: async () => [
      await read('select * from t order by a'),
      await read('select * from u'),
      await read('select sequence_name, last_value from duckdb_sequences()'),
      await read('select count(*) from duckdb_tables() union all select count(*) from duckdb_functions()'),
      await read('select database_name, path from duckdb_databases() order by 1'),
      await read(`select name, value from duckdb_settings() order by 1`),
    ],
  };

  it('writes nothing, whatever statement is proven', { timeout: timeoutMs }, async () => {
    const { ran, before, behind } = await fuzz(target);
    expect(behind).toEqual(before);
    expect(ran).toBeGreaterThan(cases / 10);
  });
});
