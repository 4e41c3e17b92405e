import pg from 'pg';
import { databaseSettings, defineConfig, loadConfig } from '#libs/config';

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
  private readonly client: pg.Client;
  readonly sample: Sample;

  private constructor(client: pg.Client, sample: Sample) {
    this.client = client;
    this.sample = sample;
  }

  static async open(): Promise<History> {
    const { database } = loadConfig(defineConfig({ database: databaseSettings('orchestrator') }));
    const client = new pg.Client({
      connectionString: database.url,
      ...(database.password === undefined ? {} : { password: database.password }),
      statement_timeout: statementTimeoutMs,
      application_name: 'sluice report',
    });
    await client.connect();
    try {
      await client.query('set default_transaction_read_only = on');
      return new History(client, await sampleOf(client));
    } catch (error) {
      await client.end();
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

  async rows<T extends pg.QueryResultRow>(sql: string, values: readonly unknown[] = []): Promise<T[]> {
    return (await this.client.query<T>(sql, [...values])).rows;
  }

  async close(): Promise<void> {
    await this.client.end();
  }
}

async function sampleOf(client: pg.Client): Promise<Sample> {
  // Of a table with partitions, those hold the rows. Without statistics a row is taken for 300 bytes.
  const { rows } = await client.query<{ executions: number }>(
    `select coalesce(sum(case when reltuples >= 0 then reltuples else pg_relation_size(oid) / 300.0 end), 0)::float8 as executions
     from pg_class where relkind = 'r' and (oid = 'orchestrator.execution'::regclass
       or oid in (select inhrelid from pg_inherits where inhparent = 'orchestrator.execution'::regclass))`,
  );
  const executions = Math.round(rows[0]?.executions ?? 0);
  return { executionsEstimated: executions, percent: executions <= rowsMax ? 100 : (rowsMax / executions) * 100 };
}
