import { Injectable } from '@nestjs/common';
import { GraphQLError } from 'graphql';
import { toPublicErrorCode, type PublicErrorCode } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { asAppError } from '../errors/format-error.js';

/** What an operator has to look at, though callers of the last two are told what it is. */
const ours: ReadonlySet<PublicErrorCode> = new Set(['INTERNAL', 'RESULT_CORRUPT', 'RESULT_STORE_UNAVAILABLE']);

/** Logs whole what callers are told only the id of. What is expected stays out of the log of errors. */
@Injectable()
export class FaultLog {
  constructor(private readonly logger: AppLogger) {}

  report(error: unknown, detail: Readonly<Record<string, unknown>> = {}): void {
    const { code } = asAppError(error);
    const err = error instanceof GraphQLError ? (error.originalError ?? error) : error;
    const path = error instanceof GraphQLError ? error.path?.join('.') : undefined;
    if (ours.has(toPublicErrorCode(code))) this.logger.error({ err, path, ...detail }, 'a request failed');
    else this.logger.debug({ err, path, code, ...detail }, 'a request was refused');
  }
}
