import type { Execution, RunError } from '#libs/contracts';
import { AppError } from '#libs/kernel';

const message = 'The saved query failed. Those who may edit it are told why.';
/** Failures whose words repeat the statement. */
const tellingCodes: readonly string[] = ['run.query_failed', 'sql.rejected', 'sql.not_read_only'];

/** An execution for those who may not read what was asked. */
export function withoutText(execution: Execution): Execution {
  const { error, ...rest } = execution;
  return error ? { ...rest, error: hidden(error) } : rest;
}

function hidden(error: RunError): RunError {
  // What the source calls the failure tells of the statement as well.
  return tellingCodes.includes(error.code) ? { ...error, message, sourceCode: undefined } : error;
}

/** What a statement is refused with, for those who may not read it. What is said of parameters is theirs to know. */
export function refusalWithoutText(error: unknown): unknown {
  if (!(error instanceof AppError)) return error;
  const origin = { path: error.path, internalMessage: error.publicMessage, cause: error };
  // Without its details: what the source calls the failure tells of the statement as well.
  if (error.code === 'run.query_failed') return new AppError(error.code, message, origin);
  // It names what the statement reads.
  if (error.code === 'run.sample_unsound') {
    return new AppError(error.code, 'No sample can be taken of this saved query.', origin);
  }
  if (!error.code.startsWith('sql.')) return error;
  return new AppError('sql.rejected', 'The saved query cannot be run. Those who may edit it are told why.', origin);
}
