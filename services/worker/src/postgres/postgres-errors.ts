import { AppError } from '#libs/kernel';

/** What the driver puts on an error that the server sent. */
interface ServerError extends Error {
  readonly code: string;
  readonly position?: string;
  readonly hint?: string;
}

/** What a caller may know of why a source cannot be reached; hosts, users and passwords are not in it. */
const connectionFaults: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'The data source refused the connection.',
  ENOTFOUND: 'The host of the data source is not known.',
  EAI_AGAIN: 'The host of the data source cannot be looked up now.',
  ETIMEDOUT: 'The data source did not answer in time.',
  EHOSTUNREACH: 'The host of the data source cannot be reached.',
  ENETUNREACH: 'The host of the data source cannot be reached.',
  ECONNRESET: 'The data source broke the connection.',
  EPIPE: 'The data source broke the connection.',
  '3D000': 'The database of the data source does not exist.',
  '53300': 'The data source has no connection left.',
  '57P01': 'The data source is shutting down or ended the session.',
  '57P02': 'The data source has crashed and is starting anew.',
  '57P03': 'The data source is starting up or shutting down.',
};

const wrongCredentials: ReadonlySet<string> = new Set(['28000', '28P01']);

/** Another try may go well: a deadlock, a serialization failure, a conflict on a standby. */
const worthRetrying: ReadonlySet<string> = new Set(['40001', '40P01']);

/** An error of opening a session. */
export function toConnectionError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const code = codeOf(error);
  if (code !== undefined && wrongCredentials.has(code)) {
    return new AppError('source.credentials_wrong', 'The data source does not accept the user or the password.', {
      internalMessage: messageOf(error),
      details: { sourceCode: code },
      cause: error,
    });
  }
  return unavailable(error, code);
}

/** An error of a statement; its text is the source's own, about the caller's own SQL. */
export function toStatementError(error: unknown, sql: string, ahead = 0): AppError {
  if (error instanceof AppError) return error;
  if (!isServerError(error) || isOfConnection(error.code)) return unavailable(error, codeOf(error));
  return new AppError('run.query_failed', `${error.message}${placeIn(sql, error.position, ahead)}${hintOf(error)}`, {
    retryable: worthRetrying.has(error.code),
    details: { sourceCode: error.code },
    cause: error,
  });
}

/** A statement that was canceled, by us, by its timeout or by somebody at the source. */
export function isCanceled(error: unknown): boolean {
  return codeOf(error) === '57014';
}

function unavailable(error: unknown, code: string | undefined): AppError {
  const known = code === undefined ? undefined : connectionFaults[code];
  const slow = messageOf(error).includes('timeout expired') ? connectionFaults['ETIMEDOUT'] : undefined;
  return new AppError('source.unavailable', known ?? slow ?? 'The data source cannot be reached.', {
    retryable: true,
    internalMessage: messageOf(error),
    ...(code !== undefined && /^[0-9A-Z]{5}$/.test(code) ? { details: { sourceCode: code } } : {}),
    cause: error,
  });
}

function isOfConnection(code: string): boolean {
  return code.startsWith('08') || code in connectionFaults;
}

function isServerError(error: unknown): error is ServerError {
  // A server's error carries an SQLSTATE, the system's own an E….
  return error instanceof Error && /^[0-9A-Z]{5}$/.test(codeOf(error) ?? '') && 'severity' in error;
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function placeIn(sql: string, position: string | undefined, ahead: number): string {
  if (position === undefined) return '';
  const before = [...sql].slice(0, Number(position) - ahead - 1);
  const lineStart = before.lastIndexOf('\n') + 1;
  const line = before.filter((character) => character === '\n').length + 1;
  return ` (line ${line}, column ${before.length - lineStart + 1})`;
}

function hintOf({ hint }: ServerError): string {
  return hint === undefined ? '' : ` ${hint}`;
}
