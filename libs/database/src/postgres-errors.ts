import { QueryFailedError } from 'typeorm';

/** The SQLSTATE of a failed statement, or the code of a failed connection. */
export function postgresCode(error: unknown): string | undefined {
  return fieldOf(error, 'code');
}

/** What a function of ours has raised with its code. */
export function postgresDetail(error: unknown): string | undefined {
  return fieldOf(error, 'detail');
}

function fieldOf(error: unknown, name: 'code' | 'detail'): string | undefined {
  const cause: unknown = error instanceof QueryFailedError ? error.driverError : error;
  if (typeof cause !== 'object' || cause === null) return undefined;
  const value: unknown = Reflect.get(cause, name);
  return typeof value === 'string' ? value : undefined;
}

/** True where a unique index refused a row; `constraint` asks for one index by name. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (postgresCode(error) !== '23505') return false;
  return constraint === undefined || constraintOf(error) === constraint;
}

// Since PostgreSQL 18, `on delete restrict` has a code of its own.
const pointerFaults: readonly (string | undefined)[] = ['23503', '23001'];

/** True where a row that is pointed to is missing, or one that is pointed at was to go. */
export function isForeignKeyViolation(error: unknown, constraint?: string): boolean {
  if (!pointerFaults.includes(postgresCode(error))) return false;
  return constraint === undefined || constraintOf(error) === constraint;
}

const lostRaces: readonly (string | undefined)[] = ['40001', '40P01'];

/** True where the transaction lost against another one and would go well when done again. */
export function isSerializationFailure(error: unknown): boolean {
  return lostRaces.includes(postgresCode(error));
}

// Refused, reset, unknown host, no socket in the file system; the server starting, stopping or full.
const connectionFaults: readonly (string | undefined)[] = [
  'ECONNREFUSED',
  'ENOENT',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  '57P03',
  '57P01',
  '53300',
];

// PgBouncer tells all its faults by one code; these words are of a server that is not there.
const poolerFault = /cannot connect to server|server_login_retry|server login has been failing|server conn crashed/;

export function isConnectionFault(error: unknown): boolean {
  const code = postgresCode(error);
  return connectionFaults.includes(code) || (code === '08P01' && poolerFault.test(String(error)));
}

// Ended by the server, and its transaction with it, as it waited for a lock or took for too long.
const givenUp: readonly (string | undefined)[] = ['55P03', '57014'];

/** True where the statement was surely not done: the server has ended it, or PgBouncer had no connection to the server for it. */
export function isGivenUp(error: unknown): boolean {
  const code = postgresCode(error);
  return givenUp.includes(code) || (code === '08P01' && String(error).includes('query_wait_timeout'));
}

function constraintOf(error: unknown): unknown {
  if (!(error instanceof QueryFailedError)) return undefined;
  const cause: unknown = error.driverError;
  return typeof cause === 'object' && cause !== null && 'constraint' in cause ? cause.constraint : undefined;
}
