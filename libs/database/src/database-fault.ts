import { QueryFailedError, QueryRunnerAlreadyReleasedError, QueryRunnerProviderAlreadyReleasedError } from 'typeorm';
import { AppError } from '#libs/kernel';
import { isConnectFault } from './connection/connect-faults.js';
import { isConnectionFault, isGivenUp, postgresCode } from './postgres-errors.js';

/** node-postgres says by words alone that a connection was not made in time, was lost or is not good any more. */
const lostConnection =
  /timeout exceeded when trying to connect|Connection terminated|Connection ended|and is not queryable|Query read timeout/;

/** Out of disk, of memory or of connections; a system error under the server; a server that has crashed or only reads for now. */
const troubledServer = /^(53...|58...|57P02|25006)$/;

/**
 * A connection that is lost during a statement leaves it open whether that was done, and so does a server in trouble. What the server
 * has given up may be asked again. Other errors stay, those of other connections of the process among them.
 */
export function asDatabaseFault(error: unknown): unknown {
  if (isLostBetweenStatements(error)) return unknownOutcome(error);
  if (!(error instanceof QueryFailedError) && !isConnectFault(error)) return error;
  if (isGivenUp(error)) {
    return new AppError('bus.unavailable', 'Something went wrong on our side.', {
      retryable: true,
      retryAfterSeconds: 1,
      internalMessage: `the database has given up: ${messageOf(error)}`,
      cause: error,
    });
  }
  const code = postgresCode(error);
  const isLost = code === undefined ? lostConnection.test(messageOf(error)) : troubledServer.test(code);
  return isLost || isConnectionFault(error) ? unknownOutcome(error) : error;
}

/** TypeORM gives the connection of a transaction up where it ends while no statement is under way, and refuses the next one. */
function isLostBetweenStatements(error: unknown): boolean {
  return error instanceof QueryRunnerAlreadyReleasedError || error instanceof QueryRunnerProviderAlreadyReleasedError;
}

function unknownOutcome(error: unknown): AppError {
  return new AppError('bus.unknown_outcome', 'No answer came in time: it may have been done or not.', {
    internalMessage: `the database cannot be reached, or not written to: ${messageOf(error)}`,
    cause: error,
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
