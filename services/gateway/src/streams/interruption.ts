import { toPublicErrorCode, type AppError } from '#libs/kernel';
import { asAppError } from '../errors/format-error.js';
import type { StreamOperation } from './stream-operation.js';

/**
 * What ends a stream so that its client comes back and goes on: what passes, and the end of the token that the client came with, which a
 * service may find sooner than the gateway.
 */
export function interruptionOf(error: unknown, { session }: StreamOperation): AppError | undefined {
  const cause = asAppError(error);
  return cause.retryable || isTokenEnded(cause, session) ? cause : undefined;
}

/** Of one who came without a token it says that there is none. */
export function isTokenEnded(cause: AppError, { credentials }: StreamOperation['session']): boolean {
  return credentials.kind === 'good' && toPublicErrorCode(cause.code) === 'UNAUTHENTICATED';
}
