import { firstValueFrom, isObservable } from 'rxjs';
import type { MessageHandler } from '@nestjs/microservices';
import { envelopeCodec, toFailure, type AnyRequestContract, type Envelope } from '#libs/contracts';
import { AppError, asWorkOf, toAppError } from '#libs/kernel';
import { withLogFields } from '#libs/telemetry';
import { BusContext } from './bus-context.js';
import type { ReaderParts } from './blocking-reader.js';
import { InboxWriter } from './inbox-writer.js';
import { asBuffer } from './stream-entry.js';
import { inTraceOf, spanName } from './trace.js';

interface Known {
  contract: AnyRequestContract;
  handler: MessageHandler;
  span: string;
}

/** Runs a request's handler and sends its answer; an answer that cannot be sent is the caller's time-out. */
export class RequestDispatcher {
  private readonly known = new Map<string, Known>();
  private readonly inboxes: InboxWriter;
  private readonly sending = new Set<Promise<void>>();
  private inFlight = 0;

  constructor(
    contracts: readonly AnyRequestContract[],
    handlers: ReadonlyMap<string, MessageHandler>,
    private readonly parts: ReaderParts,
  ) {
    this.inboxes = new InboxWriter(parts);
    for (const contract of contracts) {
      const handler = handlers.get(contract.pattern);
      if (handler) this.known.set(contract.pattern, { contract, handler, span: spanName(contract) });
    }
    parts.metrics.inFlight.watch(() => this.inFlight);
  }

  /** What is not known is not taken for harmless. */
  isIdempotent(pattern: string): boolean {
    return this.known.get(pattern)?.contract.isIdempotent ?? false;
  }

  /** Never rejects. Resolves when the handler has ended; its answer is then on its way. */
  async dispatch(envelope: Envelope, remainingMs: number): Promise<void> {
    const deadline = performance.now() + remainingMs;
    this.inFlight += 1;
    const reply = await this.answer(envelope, remainingMs);
    this.inFlight -= 1;
    const sending: Promise<void> = this.send(envelope, reply, deadline).finally(() => this.sending.delete(sending));
    this.sending.add(sending);
  }

  /** Resolves when no answer is on its way any more. */
  async settled(): Promise<void> {
    await Promise.all(this.sending);
  }

  private async send(envelope: Envelope, reply: Envelope, deadline: number): Promise<void> {
    try {
      await this.inboxes.reply(envelope.replyTo, asBuffer(envelopeCodec.encode(reply)), deadline);
    } catch (err) {
      this.parts.logger.warn({ err, pattern: envelope.type }, 'a reply could not be sent');
    }
  }

  /** Answers without handling, as where there is no room. */
  async refuse(envelope: Envelope, error: AppError): Promise<void> {
    try {
      const reply = replyTo(envelope, { failure: error });
      await this.inboxes.add(envelope.replyTo, asBuffer(envelopeCodec.encode(reply)));
    } catch (err) {
      this.parts.logger.warn({ err, pattern: envelope.type }, 'a refusal could not be sent');
    }
  }

  private async answer(envelope: Envelope, remainingMs: number): Promise<Envelope> {
    const known = this.known.get(envelope.type);
    if (!known) return replyTo(envelope, { failure: unimplemented(envelope.type) });
    const { contract, handler, span } = known;
    const begun = performance.now();
    try {
      const payload: unknown = contract.request.decode(envelope.payload);
      const context = new BusContext(envelope, remainingMs);
      const fields = { requestId: envelope.requestId, workspaceId: envelope.workspaceId };
      const response = await withLogFields(fields, () =>
        inTraceOf(envelope, span, () => asWorkOf(context.work, async () => resultOf(await handler(payload, context)))),
      );
      return replyTo(envelope, { payload: contract.response.encode(response) });
    } catch (thrown) {
      return replyTo(envelope, { failure: this.failureOf(envelope, contract, thrown) });
    } finally {
      this.parts.metrics.handledSeconds.observe({ pattern: envelope.type }, (performance.now() - begun) / 1_000);
    }
  }

  private failureOf(envelope: Envelope, { isIdempotent }: AnyRequestContract, thrown: unknown): AppError {
    const error = toAppError(thrown);
    this.parts.metrics.errors.inc({ pattern: envelope.type, code: error.code });
    // Done or not, it may be asked again.
    if (error.code === 'bus.unknown_outcome' && isIdempotent) return unavailable(error);
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

function unavailable(cause: AppError): AppError {
  return new AppError('bus.unavailable', 'Something went wrong on our side.', {
    ...{ retryable: true, retryAfterSeconds: 1, internalMessage: cause.message, cause },
  });
}

function unimplemented(pattern: string): AppError {
  return new AppError('bus.unimplemented', 'Something went wrong on our side.', {
    retryable: true,
    internalMessage: `nobody here handles ${pattern}`,
  });
}

function replyTo(request: Envelope, outcome: { payload: Uint8Array } | { failure: AppError }): Envelope {
  return {
    // Nobody asks for the id of a reply: it is known by what it answers.
    id: '',
    kind: 'REPLY',
    type: '',
    version: 1,
    workspaceId: '',
    requestId: '',
    traceparent: '',
    tracestate: '',
    ttlMs: 0,
    idempotencyKey: '',
    replyTo: '',
    inReplyTo: request.id,
    payload: 'payload' in outcome ? outcome.payload : noBytes,
    ...('failure' in outcome ? { failure: toFailure(outcome.failure) } : {}),
  };
}

const noBytes = new Uint8Array();
