import { Injectable } from '@nestjs/common';
import type { ColumnType, RequestOf, ResponseOf, SourceConnection, workerRequests } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { proveReadOnly } from '#libs/sql';
import { ConnectorRegistry } from '../connector/connector-registry.js';
import type { SourceSession } from '../connector/connector.js';
import { withoutPlace } from '../run/governed-error.js';
import { SourceSessions } from './source-sessions.js';

type TrialInput = RequestOf<typeof workerRequests.tryStatements>;
type StatementTrial = TrialInput['trials'][number];
type TrialFault = NonNullable<ResponseOf<typeof workerRequests.tryStatements>['fault']>;

/** Asks a source whether it could run statements; of those that it computes it is told by whoever made them that they name no row. */
@Injectable()
export class TrialService {
  constructor(
    private readonly connectors: ConnectorRegistry,
    private readonly sessions: SourceSessions,
  ) {}

  /**
   * What the source refuses first, in its own words.
   * @param signal fires when nobody waits for the answer any more
   * @throws AppError what keeps the source from telling, such as a connection that it refuses
   */
  async firstFault(
    { trials, timeoutMs, submittedById }: TrialInput,
    source: SourceConnection,
    signal: AbortSignal,
  ): Promise<TrialFault | undefined> {
    const begin = performance.now();
    const attempt: Attempt = async (trial) => {
      await proveReadOnly(this.connectors.dialectOf(source.type), trial.sql, { valueCount: trial.values.length });
      const leftMs = timeoutMs - (performance.now() - begin);
      if (leftMs <= 0) throw new AppError('source.unavailable', 'The data source did not answer in time.');
      return this.sessions.use(source, { submittedById, timeoutMs: leftMs }, signal, (session) =>
        tryIn(session, trial),
      );
    };
    let untold: AppError | undefined;
    for (const [place, trial] of trials.entries()) {
      const outcome = await faultOf(trial, attempt);
      // A fault with another table is a fault, whatever the source says of this one.
      if (outcome instanceof AppError) untold ??= outcome;
      else if (outcome !== undefined) return { trial: place, message: outcome };
    }
    if (untold) throw untold;
    return undefined;
  }
}

/** What the source has against a trial; undefined: nothing. */
type Attempt = (trial: StatementTrial) => Promise<AppError | string | undefined>;

/** The source's words where it has something against what is tried; what it has against the table itself, as it came. */
async function faultOf(trial: StatementTrial, attempt: Attempt): Promise<AppError | string | undefined> {
  const refusal = await attempt(trial);
  if (!(refusal instanceof AppError)) return refusal;
  // Such as a table that has gone since the schema was read: one of many that the policy may govern.
  if (refusal.code === 'sql.rejected') return new AppError('run.query_failed', messageOf(refusal), { cause: refusal });
  const control = { ...trial, sql: trial.controlSql, values: [], reach: undefined, isCondition: false };
  const other = await attempt(control);
  // Such as a table that the source's user may not read.
  if (other instanceof AppError && messageOf(other) === messageOf(refusal)) return refusal;
  return messageOf(refusal);
}

async function tryIn(session: SourceSession, trial: StatementTrial): Promise<AppError | string | undefined> {
  const { sql, reach, computes, isCondition } = trial;
  const values = trial.values.map(({ value }) => value ?? null);
  try {
    if (reach) await session.confirm(reach);
    if (!computes) await session.estimate(sql, values);
    else if (isCondition) return faultOfCondition(await typeOf(session, sql, values));
    else await typeOf(session, sql, values);
    return undefined;
  } catch (error) {
    return refusalOf(error, trial);
  }
}

/** Computes a statement of one column to its end. */
async function typeOf(session: SourceSession, sql: string, values: (string | null)[]): Promise<ColumnType | undefined> {
  const rows = await session.query(sql, values);
  while (await rows.next());
  return rows.columns[0]?.type;
}

/** Numbers are taken for conditions by a source that says so; texts would be read as such, row by row, until one is none. */
const conditionTypes: ReadonlySet<ColumnType | undefined> = new Set([
  ...(['BOOLEAN', 'INTEGER', 'BIGINT', 'FLOAT', 'DECIMAL'] as const),
]);

function faultOfCondition(type: ColumnType | undefined): string | undefined {
  return conditionTypes.has(type) ? undefined : `The predicate is of the type ${type}, and has to be boolean.`;
}

/** Codes of sources, PostgreSQL's and DuckDB's, of what is refused whatever its values are. */
const refusals = {
  planned: /^(?:0A000|22(?!004)[0-9A-Z]{3}|42[0-9A-Z]{3}|Binder|Catalog|Parser|Syntax)$/,
  computed: /^(?:Conversion|Out of Range|Catalog|Parser|Syntax)$/,
};
/** Codes of what is about a value, and not about its type. */
const isOfValues = /^(?:22[0-9A-Z]{3}|Conversion|Out of Range)$/;
/** Codes of what may be about values that stand in for those that nobody knows yet. */
const mayBeOfValues = /^(?:22004|Binder|Conversion|Invalid Input|Out of Range)$/;

/** @throws what is no refusal of the statement */
function refusalOf(error: unknown, { computes, hasInventedValues }: StatementTrial): AppError | undefined {
  if (!(error instanceof AppError)) throw error;
  // What the source did not confirm is told with the reason, as whoever tries it is the author of what it is about.
  if (error.code === 'sql.rejected') return error;
  const sourceCode = error.details?.['sourceCode'];
  if (error.code !== 'run.query_failed' || typeof sourceCode !== 'string') throw error;
  if (hasInventedValues && isOfValues.test(sourceCode)) return undefined;
  if (refusals[computes ? 'computed' : 'planned'].test(sourceCode)) return error;
  if (mayBeOfValues.test(sourceCode)) return undefined;
  throw error;
}

/** Places are those of a text that the author does not know. */
function messageOf({ publicMessage, details }: AppError): string {
  const reason = details?.['reason'];
  return withoutPlace(typeof reason === 'string' ? reason : publicMessage);
}
