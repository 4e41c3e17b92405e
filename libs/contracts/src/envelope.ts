import { AppError, isErrorCode } from '#libs/kernel';
import type { Domain } from './codec/domain.js';
import { messageCodec } from './codec/message-codec.js';
import {
  EnvelopeSchema,
  type Actor as ActorMessage,
  type Envelope as EnvelopeMessage,
  type Failure as FailureMessage,
} from './gen/sluice/bus/v1/envelope_pb.js';

export type Envelope = Domain<EnvelopeMessage>;
/** Who asks: a caller by access token, or a service by its name. */
export type Actor = Domain<ActorMessage>['kind'];
export type Failure = Domain<FailureMessage>;

export const envelopeCodec = messageCodec(EnvelopeSchema);

/** An error as it crosses the bus. The stack and the cause stay behind; they are in the log of who threw it. */
export function toFailure(error: AppError): Failure {
  return {
    code: error.code,
    publicMessage: error.publicMessage,
    internalMessage: error.internalMessage ?? '',
    retryable: error.retryable,
    retryAfterSeconds: error.retryAfterSeconds,
    path: [...error.path],
    details: error.details,
    issues: error.issues.map((issue) => ({ ...issue, path: [...issue.path] })),
  };
}

/** The error that a failure was. A code of a newer release becomes `internal`. */
export function fromFailure(failure: Failure): AppError {
  return new AppError(knownCode(failure.code), failure.publicMessage, {
    internalMessage: failure.internalMessage || undefined,
    retryable: failure.retryable,
    retryAfterSeconds: failure.retryAfterSeconds,
    path: failure.path,
    details: failure.details,
    issues: failure.issues.map((issue) => ({ ...issue, code: knownCode(issue.code) })),
  });
}

function knownCode(code: string): AppError['code'] {
  return isErrorCode(code) ? code : 'internal';
}
