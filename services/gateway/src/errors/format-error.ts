import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { AppError, toAppError, toPublicErrorCode } from '#libs/kernel';
import { wholeSeconds } from './user-error.js';

/** An error as callers see it: a code of the contract, the request's id, and no word of our inside. */
export function formatError(error: unknown, requestId: string): GraphQLFormattedError {
  const { locations, path } = error instanceof GraphQLError ? error : {};
  const { code, publicMessage, retryable, retryAfterSeconds } = asAppError(error);
  return {
    message: publicMessage,
    ...(locations ? { locations } : {}),
    ...(path ? { path } : {}),
    extensions: {
      code: toPublicErrorCode(code),
      requestId,
      retryable,
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds: wholeSeconds(retryAfterSeconds) }),
    },
  };
}

/** What went wrong. A GraphQLError that nothing of ours stands behind is about the caller's document or variables. */
export function asAppError(error: unknown): AppError {
  const cause = causeOf(error);
  if (!(cause instanceof GraphQLError)) return toAppError(cause);
  if (cause.extensions['code'] === 'INTERNAL_SERVER_ERROR') return toAppError(new Error(cause.message));
  return new AppError('input.invalid', withoutSuggestions(placeOf(error, cause.message) + cause.message));
}

/** Which variable is at fault, and where in it. The value is not repeated: it may hold a password. */
function placeOf(error: unknown, fault: string): string {
  const text = error instanceof GraphQLError ? error.message : '';
  const [prefix, name] = /^Variable "\$(\w+)" got invalid value /.exec(text) ?? [];
  if (prefix === undefined || name === undefined || !text.endsWith(`; ${fault}`)) return '';
  const [, place = name] = / at "([\w.[\]]{1,200})"$/.exec(text.slice(0, -`; ${fault}`.length)) ?? [];
  return `Variable "$${place}": `;
}

/** A closed schema is not told piece by piece by its suggestions. */
export function withoutSuggestions(message: string): string {
  return message.replace(/ ?Did you mean .*?\?/gs, '').trimEnd();
}

function causeOf(error: unknown): unknown {
  let cause = error;
  while (cause instanceof GraphQLError && cause.originalError) cause = cause.originalError;
  return cause;
}
