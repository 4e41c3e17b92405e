import { AppError, toPublicErrorCode, type ErrorCode, type PublicErrorCode } from '#libs/kernel';

/** The contract's UserError. */
export interface UserError {
  readonly code: PublicErrorCode;
  readonly message: string;
  readonly path: readonly string[];
  readonly retryable: boolean;
  readonly retryAfterSeconds: number | null;
}

/** What a caller is told of a failure: every fault of the input, or the one thing that went wrong. */
export function userErrorsOf(error: AppError): UserError[] {
  const common = { retryable: error.retryable, retryAfterSeconds: wholeSeconds(error.retryAfterSeconds) };
  const faults = error.issues.length > 0 ? error.issues : [{ ...error, message: error.publicMessage }];
  return faults.map(({ code, message, path }) => ({ code: toPublicErrorCode(code), message, path, ...common }));
}

/** Contract's Int: a wait is rounded up, so that nobody comes back too early. */
export function wholeSeconds(seconds: number | undefined): number | null {
  return seconds === undefined ? null : Math.ceil(seconds);
}

/** One fault of an argument, found by the gateway itself. */
export function invalidInput(message: string, ...path: string[]): AppError {
  return new AppError('input.invalid', message, { path });
}

// A refused token concerns the whole request, so it is an error of the request and no outcome of one mutation.
const faultsOfRequest: ReadonlySet<ErrorCode> = new Set([
  'auth.unauthenticated',
  'auth.token_expired',
  'auth.token_revoked',
]);

/** Whether a mutation's failure is a fault, told as a GraphQL error, and not an outcome in the payload. */
export function isFault({ code }: AppError): boolean {
  const publicCode = toPublicErrorCode(code);
  return publicCode === 'INTERNAL' || publicCode === 'UNKNOWN_OUTCOME' || faultsOfRequest.has(code);
}
