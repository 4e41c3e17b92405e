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
  return tellingCodes.includes(error.code) ? { ...error, message } : error;
}

/** A refusal of a statement for those who may not read it. What is said of parameters is theirs to know. */
export function refusalWithoutText(error: unknown): unknown {
  if (!(error instanceof AppError) || !error.code.startsWith('sql.')) return error;
  return new AppError('sql.rejected', 'The saved query cannot be run. Those who may edit it are told why.', {
    path: error.path,
    internalMessage: error.publicMessage,
    cause: error,
  });
}
