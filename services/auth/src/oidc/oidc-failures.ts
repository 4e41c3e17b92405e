import * as oidc from 'openid-client';
import { errors as joseErrors } from 'jose';
import { AppError } from '#libs/kernel';
import { RefusedAddress } from '#libs/outbound';

const unavailable: ReadonlySet<string> = new Set([
  'ABORT_ERR',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'ETIMEDOUT',
  'OAUTH_RESPONSE_IS_NOT_CONFORM',
  'OAUTH_RESPONSE_IS_NOT_JSON',
  'OAUTH_TIMEOUT',
]);

/**
 * Why a sign-in through a provider failed, for the browser by a code and for the log whole. What a library throws may carry
 * answers and tokens, so of it only the words are kept.
 */
export function oidcFailure(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const internalMessage = wordsOf(error);
  if (error instanceof oidc.AuthorizationResponseError) {
    return new AppError('sso.provider_refused', 'The provider has not signed you in.', { internalMessage });
  }
  const isNotReached = causesOf(error).some((cause) => cause instanceof RefusedAddress);
  if (isNotReached || codesOf(error).some((code) => unavailable.has(code))) {
    return new AppError('sso.provider_unavailable', 'The provider cannot be reached. Try again later.', {
      internalMessage,
      retryable: true,
    });
  }
  return new AppError('sso.answer_refused', 'The provider’s answer cannot be used.', { internalMessage });
}

function causesOf(error: unknown): Error[] {
  return error instanceof Error ? [error, ...causesOf(error.cause)] : [];
}

function codesOf(error: unknown): string[] {
  return causesOf(error).flatMap((cause) => ('code' in cause && typeof cause.code === 'string' ? [cause.code] : []));
}

function wordsOf(error: unknown): string {
  const words = causesOf(error).map((cause) => {
    const code = 'code' in cause && typeof cause.code === 'string' ? `${cause.code}: ` : '';
    const claim = cause instanceof joseErrors.JWTClaimValidationFailed ? ` (${cause.claim})` : '';
    const said =
      cause instanceof oidc.AuthorizationResponseError || cause instanceof oidc.ResponseBodyError
        ? ` (${[cause.error, cause.error_description].filter(Boolean).join(', ').slice(0, 500)})`
        : '';
    return `${code}${cause.message}${claim}${said}`;
  });
  return words.length === 0 ? String(error) : words.join(' <- ');
}
