import { AppError } from '#libs/kernel';
import { isConnectionFault, postgresCode } from './postgres-errors.js';

/** node-postgres says by words alone that a connection was not made in time, was lost or is not good any more. */
const lostConnection =
  /timeout exceeded when trying to connect|Connection terminated|Connection ended|connection error and is not queryable|Query read timeout/;

/** Out of disk, of memory or of connections; a system error under the server; a server that has crashed or only reads for now. */
const troubledServer = /^(53...|58...|57P02|25006)$/;

/** A connection that is lost during a statement leaves it open whether that was done, and so does a server in trouble; other errors stay. */
export function asDatabaseFault(error: unknown): unknown {
  const isTroubled = troubledServer.test(postgresCode(error) ?? '');
  if (!isTroubled && !isConnectionFault(error) && !lostConnection.test(String(error))) return error;
  return new AppError('bus.unknown_outcome', 'No answer came in time: it may have been done or not.', {
    internalMessage: `the database cannot be reached, or not written to: ${error instanceof Error ? error.message : String(error)}`,
    cause: error,
  });
}
