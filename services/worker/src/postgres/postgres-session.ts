import type { SourceHandle } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { policyRejection, postgresReachCheck, postgresReachFault, type ReachPremises, type ReachRow } from '#libs/sql';
import type {
  RowStream,
  SessionPurpose,
  SourceSession,
  StatementEstimate,
  StatementValue,
} from '../connector/connector.js';
import { applicationName, beginStatement } from './begin-statement.js';
import { cancelBackend, postgresHandleOf } from './cancel-backend.js';
import type { PostgresClient } from './postgres-client.js';
import { explained, explainPrefix, readPostgresPlan } from './postgres-plan.js';
import { isCanceled, toConnectionError, toStatementError } from './postgres-errors.js';
import type { PostgresPool } from './postgres-pool.js';
import { RowQuery } from './row-query.js';

/** One run's read-only transaction on a connection that is its alone until close. */
export class PostgresSession implements SourceSession {
  readonly handle: SourceHandle;
  private query_: RowQuery | undefined;
  private isClean = true;
  private isCanceled = false;

  private constructor(
    private readonly pool: PostgresPool,
    private readonly client: PostgresClient,
    purpose: SessionPurpose,
    private readonly begun: Promise<void> = Promise.resolve(),
  ) {
    // Whoever asks for rows is told.
    begun.catch(() => undefined);
    const { pid, start } = client.identity;
    this.handle = { values: { backendPid: pid, backendStart: start, applicationName: applicationName(purpose) } };
  }

  static async open(pool: PostgresPool, purpose: SessionPurpose): Promise<PostgresSession> {
    const idle = pool.takeIdle();
    if (idle) {
      const begun = begin(idle.client, purpose);
      // The run is claimed while its transaction begins.
      if (idle.isTrusted) return new PostgresSession(pool, idle.client, purpose, begun);
      if (await begun.then(isTrue, isFalse)) return new PostgresSession(pool, idle.client, purpose);
      // A connection that has waited may have died without a word; a new one tells what is the matter.
      idle.client.destroy();
    }
    const client = await pool.connect();
    try {
      await begin(client, purpose);
    } catch (error) {
      client.destroy();
      throw toConnectionError(error);
    }
    return new PostgresSession(pool, client, purpose);
  }

  async confirm(reach: ReachPremises): Promise<void> {
    await this.whenBegun();
    const { sql, values } = postgresReachCheck(reach);
    this.isClean = false;
    const { rows } = await this.client.client.query<ReachRow>(sql, [...values]).catch((error: unknown) => {
      throw isCanceled(error) ? stopped(error) : toConnectionError(error);
    });
    this.isClean = true;
    const fault = postgresReachFault(reach, rows);
    if (fault !== undefined) throw policyRejection(fault);
  }

  async estimate(sql: string, values: readonly StatementValue[] = []): Promise<StatementEstimate> {
    await this.whenBegun();
    this.isClean = false;
    try {
      const { rows } = await this.client.client.query<Record<string, unknown>>(explained(sql), [...values]);
      this.isClean = true;
      return readPostgresPlan(rows);
    } catch (error) {
      throw this.statementError(error, sql, explainPrefix.length);
    }
  }

  async query(sql: string, values: readonly StatementValue[] = []): Promise<RowStream> {
    await this.whenBegun();
    const query = new RowQuery(sql, values, this.client, (oids) => this.pool.types.resolve(oids));
    this.query_ = query;
    this.isClean = false;
    this.client.client.query(query);
    try {
      await query.described;
    } catch (error) {
      throw this.statementError(error, sql);
    }
    return {
      columns: query.columns,
      next: async () => {
        try {
          const rows = await query.next();
          if (rows === undefined) this.isClean = true;
          return rows;
        } catch (error) {
          throw this.statementError(error, sql);
        }
      },
    };
  }

  async cancel(): Promise<void> {
    this.isCanceled = true;
    const handle = postgresHandleOf(this.handle);
    // A server that cannot send its rows does not hear of a cancel, so the rows have to go somewhere.
    void this.query_?.discard();
    if (handle) await this.pool.withClient((client) => cancelBackend(client, handle));
  }

  async close(): Promise<void> {
    const hasBegun = await this.begun.then(isTrue, isFalse);
    if (this.isClean && hasBegun && !this.isCanceled) return this.pool.giveBack(this.client);
    // The statement may still run, or a cancel may still be on its way and would hit the next run, also where the
    // statement ended by itself meanwhile.
    this.client.destroy();
  }

  private async whenBegun(): Promise<void> {
    await this.begun.catch((error: unknown) => {
      this.isClean = false;
      throw toConnectionError(error);
    });
    // A cancel that came while the transaction began has found nothing to end at the server.
    if (this.isCanceled) throw stopped();
  }

  /** @param ahead characters in front of the statement, of which the caller knows nothing */
  private statementError(error: unknown, sql: string, ahead = 0): AppError {
    // A statement that the server refused has ended, and its session is as good as before.
    if (!isCanceled(error) && !(error instanceof AppError) && !this.client.isBroken) this.isClean = true;
    if (isCanceled(error)) return stopped(error);
    return toStatementError(error, sql, ahead);
  }
}

async function begin(client: PostgresClient, purpose: SessionPurpose): Promise<void> {
  await client.ask(beginStatement(client, purpose));
}

function stopped(cause?: unknown): AppError {
  return new AppError('run.timed_out', 'The statement was stopped at the data source.', {
    details: { sourceCode: '57014' },
    cause,
  });
}

const isTrue = (): boolean => true;
const isFalse = (): boolean => false;
