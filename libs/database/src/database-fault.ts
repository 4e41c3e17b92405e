import { AppError } from '#libs/kernel';
import { isConnectionFault } from './postgres-errors.js';

/** node-postgres says by words alone that a connection was not made in time, was lost or is not good any more. */
const lostConnection =
  /timeout exceeded when trying to connect|Connection terminated|Connection ended|connection error and is not queryable|Query read timeout/;

/** A connection that is lost during a statement leaves it open whether that was done; other errors are as they were. */
export function asDatabaseFault(error: unknown): unknown {
  if (!isConnectionFault(error) && !lostConnection.test(String(error))) return error;
  return new AppError('bus.unknown_outcome', 'No answer came in time: it may have been done or not.', {
    internalMessage: `the database cannot be reached: ${error instanceof Error ? error.message : String(error)}`,
    cause: error,
  });
}
