import pg from 'pg';
import { delay } from '#libs/kernel';
import { until } from '#libs/testing';
import type { HistoryFile, Recorder } from './history/history-file.js';

export interface ObserverOptions {
  history: HistoryFile;
  /** Where the services' database is now, as superuser. */
  databaseUrl: () => string;
  /** The database that is asked, as superuser, and the role that asks it. */
  sourceUrl: string;
  reader: string;
}

interface SeenRow {
  execution: string;
  key: string | null;
  state: string;
  finishedAtMs: number | null;
  code: string | null;
  retryable: boolean | null;
  attempts: number;
}

const executions = `
  select e.id as execution, e.idempotency_key as key, coalesce(e.own_state, r.state) as state,
    (extract(epoch from coalesce(e.own_finished_at, r.finished_at)) * 1000)::float8 as "finishedAtMs",
    r.error_code as code, r.error_retryable as retryable, r.attempts
  from orchestrator.execution e join orchestrator.run r on r.id = e.run_id`;
const justFinished = `${executions} where r.finished_at > now() - interval '3 seconds'`;

/** Looks every second at what runs at the source and at what has ended, and once at everything in the end. */
export class Observer {
  private readonly record: Recorder;
  private readonly stopped = new AbortController();
  private looking: Promise<void> = Promise.resolve();

  constructor(private readonly options: ObserverOptions) {
    this.record = options.history.recorderOf('observer');
  }

  start(): void {
    this.looking = this.look();
  }

  /** Waits until nothing runs any more, or for `timeoutMs`, and writes down all there is. */
  async finish(timeoutMs: number): Promise<void> {
    this.stopped.abort();
    await this.looking;
    const isQuiet = async (): Promise<boolean> => {
      const unfinished = 'select 1 from orchestrator.run where finished_at is null limit 1';
      const [runs, marks] = await Promise.all([ask(this.options.databaseUrl(), unfinished), this.marks()]);
      return runs.length === 0 && marks.length === 0;
    };
    await until(isQuiet, { timeoutMs, intervalMs: 250 }).catch(() => undefined);
    await this.writeStatements(true);
    await this.writeSeen(executions, true);
  }

  private async look(): Promise<void> {
    while (!this.stopped.signal.aborted) {
      // A database that is broken on purpose shows nothing.
      await Promise.allSettled([this.writeStatements(false), this.writeSeen(justFinished, false)]);
      await delay(1_000, { signal: this.stopped.signal });
    }
  }

  private async writeStatements(isLast: boolean): Promise<void> {
    this.record({ f: 'statements', type: 'ok', marks: await this.marks(), isLast });
  }

  private async writeSeen(sql: string, isLast: boolean): Promise<void> {
    const rows = await ask<SeenRow>(this.options.databaseUrl(), sql);
    for (const row of rows) this.record({ f: 'seen', type: 'ok', ...row, isLast });
  }

  private async marks(): Promise<string[]> {
    const rows = await ask<{ mark: string }>(
      this.options.sourceUrl,
      `select substring(query from 'm[0-9a-f]{32}') as mark from pg_stat_activity
       where usename = $1 and state = 'active' and query ~ 'm[0-9a-f]{32}'`,
      [this.options.reader],
    );
    return rows.map(({ mark }) => mark);
  }
}

/** By a connection of its own: one that is kept would be lost with the server. */
async function ask<Row extends pg.QueryResultRow>(url: string, sql: string, values: unknown[] = []): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000, query_timeout: 10_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(sql, values)).rows;
  } finally {
    await client.end();
  }
}
