import pg from 'pg';
import { databaseSettings, defineConfig, loadConfig } from '#libs/config';
import { databaseAddress } from '#libs/database';

/** A share of the history that is read in place of all of it, so that a report costs as much in a large one as in a small. */
export interface Sample {
  readonly percent: number;
  /** Of the whole history: what PostgreSQL takes it for, where the executions of a report are counted. */
  readonly executionsEstimated: number;
}

const rowsMax = 200_000;
const statementTimeoutMs = 60_000;

/** The orchestrator's history, read and never written, with the settings that the orchestrator reads. */
export class History {
  private readonly pool: pg.Pool;
  readonly sample: Sample;

  private constructor(pool: pg.Pool, sample: Sample) {
    this.pool = pool;
    this.sample = sample;
  }

  static async open(): Promise<History> {
    const { database } = loadConfig(defineConfig({ database: databaseSettings('orchestrator') }));
    const { url: connectionString, ...client } = databaseAddress(database.url, database.password);
    const pool = new pg.Pool({ ...{ connectionString, ...client }, application_name: 'sluice report', max: 1 });
    // Without a listener a lost connection would end the process.
    pool.on('error', () => undefined);
    try {
      return new History(pool, await sampleOf(pool));
    } catch (error) {
      await pool.end();
      throw error;
    }
  }

  /** What FROM names in place of the table of executions. */
  get executions(): string {
    const { percent } = this.sample;
    return percent >= 100
      ? 'orchestrator.execution'
      : `orchestrator.execution tablesample system (${percent}) repeatable (1)`;
  }

  /** By what counts and sums of the sample are multiplied. */
  get scale(): number {
    return 100 / this.sample.percent;
  }

  rows<T extends pg.QueryResultRow>(sql: string, values: readonly unknown[] = []): Promise<T[]> {
    return readOnly<T>(this.pool, sql, values);
  }

  async close(): Promise<void> {
    await this.pool.end();
  }
}

/** What is set is the transaction's alone: behind a pooler the connection is another's afterwards. */
async function readOnly<T extends pg.QueryResultRow>(
  pool: pg.Pool,
  sql: string,
  values: readonly unknown[] = [],
): Promise<T[]> {
  const client = await pool.connect();
  try {
    await client.query('begin read only');
    await client.query(`set local statement_timeout = ${statementTimeoutMs}`);
    const { rows } = await client.query<T>(sql, [...values]);
    await client.query('rollback');
    client.release();
    return rows;
  } catch (error) {
    client.release(true);
    throw error;
  }
}

async function sampleOf(pool: pg.Pool): Promise<Sample> {
  // Of a table with partitions, those hold the rows. Without statistics a row is taken for 300 bytes.
  const rows = await readOnly<{ executions: number }>(
    pool,
    `select coalesce(sum(case when reltuples >= 0 then reltuples else pg_relation_size(oid) / 300.0 end), 0)::float8 as executions
     from pg_class where relkind = 'r' and (oid = 'orchestrator.execution'::regclass
       or oid in (select inhrelid from pg_inherits where inhparent = 'orchestrator.execution'::regclass))`,
  );
  const executions = Math.round(rows[0]?.executions ?? 0);
  return { executionsEstimated: executions, percent: executions <= rowsMax ? 100 : (rowsMax / executions) * 100 };
}
