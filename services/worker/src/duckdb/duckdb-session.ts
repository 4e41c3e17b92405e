import { StatementType, type DuckDBConnection, type DuckDBResult } from '@duckdb/node-api';
import type { SourceHandle } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { duckdbReachFault, duckdbViewsQuery, policyRejection, type ReachPremises } from '#libs/sql';
import type { RowStream, SourceSession, StatementEstimate, StatementValue } from '../connector/connector.js';
import { uniqueNames } from '../connector/unique-names.js';
import { readDuckdbPlan } from './duckdb-plan.js';
import { toDuckdbError } from './duckdb-errors.js';
import { DuckdbRows } from './duckdb-rows.js';
import { columnTypeOf } from './duckdb-types.js';

/** An interrupt that comes before the engine has begun is forgotten by it, so that it has to be said again. */
const interruptEveryMs = 25;

/** EXPLAIN without ANALYZE plans and does not run. */
const explainPrefix = 'explain (format json) ';

/** One run's connection to an instance. */
export class DuckdbSession implements SourceSession {
  private isCanceled = false;
  private timer: NodeJS.Timeout | undefined;
  /** The call that the engine is in, or the last one. */
  private call: Promise<unknown> = Promise.resolve();
  private isInCall = false;

  constructor(
    private readonly connection: DuckDBConnection,
    readonly handle: SourceHandle,
    private readonly timeoutMs: number,
    private readonly onClose: () => void,
    private readonly onFailure: (error: unknown) => void,
  ) {}

  async confirm(reach: ReachPremises): Promise<void> {
    this.startTimer();
    const views = await this.guarded(async () => (await this.connection.runAndReadAll(duckdbViewsQuery)).getRows());
    const known = views
      .map((row) => row.map(String))
      .map(([schema = '', name = '', sql = '']) => ({ schema, name, sql }));
    const fault = await duckdbReachFault(reach, known);
    if (fault !== undefined) throw policyRejection(fault);
  }

  async estimate(sql: string, values: readonly StatementValue[] = []): Promise<StatementEstimate> {
    this.startTimer();
    return this.guarded(async () => {
      const result = await this.start(`${explainPrefix}${sql}`, values, StatementType.EXPLAIN);
      const [row] = await result.getRows();
      return readDuckdbPlan(String(row?.[1]));
    }, explainPrefix.length);
  }

  async query(sql: string, values: readonly StatementValue[] = []): Promise<RowStream> {
    this.startTimer();
    return this.guarded(async () => {
      const result = await this.start(sql, values);
      const types = result.columnTypes().map(columnTypeOf);
      const names = uniqueNames(result.columnNames());
      const rows = new DuckdbRows(result, types);
      return {
        columns: types.map(({ type }, index) => ({ name: names[index] ?? '', type, nullable: true })),
        next: () => this.guarded(() => rows.next()),
      };
    });
  }

  async cancel(): Promise<void> {
    this.isCanceled = true;
    if (!this.isInCall) return;
    const interrupt = setInterval(() => this.connection.interrupt(), interruptEveryMs);
    this.connection.interrupt();
    try {
      await this.call;
    } catch {
      // Whoever made the call is told.
    } finally {
      clearInterval(interrupt);
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.timer);
    // A connection that is closed under a call takes the process with it.
    await this.cancel();
    this.connection.closeSync();
    this.onClose();
  }

  private startTimer(): void {
    // DuckDB has no time limit of its own; this is it.
    this.timer ??= setTimeout(() => void this.cancel(), this.timeoutMs);
  }

  /** The engine's own verdict is asked once more: one statement, and a SELECT. */
  private async start(
    sql: string,
    values: readonly StatementValue[],
    kind = StatementType.SELECT,
  ): Promise<DuckDBResult> {
    const statements = await this.connection.extractStatements(sql);
    if (statements.count !== 1) throw refused();
    const prepared = await statements.prepare(0);
    try {
      if (prepared.statementType !== kind) throw refused();
      // A bound VARCHAR is taken for what stands beside it, as a literal in quotes is.
      for (const [index, value] of values.entries()) {
        if (value === null) prepared.bindNull(index + 1);
        else prepared.bindVarchar(index + 1, value);
      }
      return await prepared.stream();
    } finally {
      prepared.destroySync();
    }
  }

  /**
   * One call of the engine. A cancel that comes between two of them is seen here.
   * @param ahead characters in front of the statement, of which the caller knows nothing
   */
  private async guarded<T>(work: () => Promise<T>, ahead = 0): Promise<T> {
    this.assertWanted();
    this.isInCall = true;
    const call = work();
    this.call = call;
    try {
      const outcome = await call;
      this.assertWanted();
      return outcome;
    } catch (error) {
      this.onFailure(error);
      this.assertWanted();
      throw toDuckdbError(error, ahead);
    } finally {
      this.isInCall = false;
    }
  }

  private assertWanted(): void {
    if (this.isCanceled) throw new AppError('run.timed_out', 'The statement was stopped at the data source.');
  }
}

function refused(): AppError {
  return new AppError('sql.not_read_only', 'Only one SELECT that reads is run.');
}
