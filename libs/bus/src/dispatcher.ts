import { firstValueFrom, isObservable } from 'rxjs';
import type { MessageHandler } from '@nestjs/microservices';
import { envelopeCodec, toFailure, type AnyRequestContract, type Envelope } from '#libs/contracts';
import { AppError, toAppError } from '#libs/kernel';
import { withLogFields } from '#libs/telemetry';
import { BusContext } from './bus-context.js';
import type { ReaderParts } from './blocking-reader.js';
import { InboxWriter } from './instance-inbox.js';
import { inTraceOf } from './trace.js';

/** Runs a request's handler and sends its answer; an answer that cannot be sent is the caller's time-out. */
export class RequestDispatcher {
  private readonly contracts: ReadonlyMap<string, AnyRequestContract>;
  private readonly inboxes: InboxWriter;

  constructor(
    contracts: readonly AnyRequestContract[],
    private readonly handlers: ReadonlyMap<string, MessageHandler>,
    private readonly parts: ReaderParts,
  ) {
    this.contracts = new Map(contracts.map((contract) => [contract.pattern, contract]));
    this.inboxes = new InboxWriter(parts.redis);
  }

  async dispatch(envelope: Envelope, remainingMs: number): Promise<void> {
    const reply = await this.answer(envelope, remainingMs);
    try {
      await this.inboxes.add(envelope.replyTo, envelopeCodec.encode(reply));
    } catch (err) {
      this.parts.logger.warn({ err, pattern: envelope.type }, 'a reply could not be sent');
    }
  }

  private async answer(envelope: Envelope, remainingMs: number): Promise<Envelope> {
    const contract = this.contracts.get(envelope.type);
    const handler = this.handlers.get(envelope.type);
    if (!contract || !handler) return replyTo(envelope, { failure: unimplemented(envelope.type) });
    const end = this.parts.metrics.handledSeconds.startTimer({ pattern: envelope.type });
    try {
      const payload: unknown = contract.request.decode(envelope.payload);
      const context = new BusContext(envelope, remainingMs);
      const fields = { requestId: envelope.requestId, workspaceId: envelope.workspaceId };
      const response = await withLogFields(fields, () =>
        inTraceOf(envelope, envelope.type, async () => resultOf(await handler(payload, context))),
      );
      return replyTo(envelope, { payload: contract.response.encode(response) });
    } catch (thrown) {
      return replyTo(envelope, { failure: this.failureOf(envelope, thrown) });
    } finally {
      end();
    }
  }

  private failureOf(envelope: Envelope, thrown: unknown): AppError {
    const error = toAppError(thrown);
    this.parts.metrics.errors.inc({ pattern: envelope.type, code: error.code });
    if (error.code === 'internal') {
      const { requestId, workspaceId } = envelope;
      this.parts.logger.error({ err: thrown, pattern: envelope.type, requestId, workspaceId }, 'a handler failed');
    }
    return error;
  }
}

/** What a Nest handler gives: a value, or an observable of one. */
export async function resultOf(result: unknown): Promise<unknown> {
  return isObservable(result) ? firstValueFrom(result, { defaultValue: undefined }) : result;
}

function unimplemented(pattern: string): AppError {
  return new AppError('bus.unimplemented', 'Something went wrong on our side.', {
    retryable: true,
    internalMessage: `nobody here handles ${pattern}`,
  });
}

function replyTo(request: Envelope, outcome: { payload: Uint8Array } | { failure: AppError }): Envelope {
  return {
    id: request.id,
    kind: 'REPLY',
    type: '',
    version: 1,
    workspaceId: request.workspaceId,
    requestId: request.requestId,
    traceparent: '',
    tracestate: '',
    ttlMs: 0,
    idempotencyKey: '',
    replyTo: '',
    inReplyTo: request.id,
    payload: 'payload' in outcome ? outcome.payload : new Uint8Array(),
    ...('failure' in outcome ? { failure: toFailure(outcome.failure) } : {}),
  };
}
