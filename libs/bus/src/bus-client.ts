import { Injectable } from '@nestjs/common';
import {
  envelopeCodec,
  firehosePartitions,
  fromFailure,
  type Envelope,
  type FirehoseContract,
  type RequestContract,
} from '#libs/contracts';
import { AppError, backoffMs, delay, newId } from '#libs/kernel';
import type { ReaderParts } from './blocking-reader.js';
import { InboxWriter, InstanceInbox } from './instance-inbox.js';
import type { MessageContext } from './message-context.js';
import { partitionOf } from './partition-of.js';
import { field } from './stream-entry.js';
import { injectTrace } from './trace.js';

export interface RequestOptions {
  context: MessageContext;
  /** How long the answer is of use; default 10 s. */
  ttlMs?: number;
  /** With it the request may be sent again while its ttl lasts; the handler stores it with its effect. */
  idempotencyKey?: string;
  /** Sends it to this one instance instead of any. */
  instance?: string;
  signal?: AbortSignal;
}

const defaultTtlMs = 10_000;
const requestStreamMax = 100_000;
const firehoseMax = 100_000;
/** How long one sending of a repeatable request is waited for before the next. */
const attemptMs = 2_500;

interface Pending {
  resolve(reply: Envelope): void;
}

/** Sends requests and waits for their replies; tells the firehose. One for each process. */
@Injectable()
export class BusClient {
  readonly inbox: InstanceInbox;
  private readonly pending = new Map<string, Pending>();
  private readonly inboxes: InboxWriter;

  constructor(
    readonly instance: string,
    private readonly parts: ReaderParts,
  ) {
    this.inboxes = new InboxWriter(parts.redis);
    this.inbox = new InstanceInbox(parts.redis.keys.instance(instance), parts);
    this.inbox.on('REPLY', ({ envelope }) => this.pending.get(envelope.inReplyTo)?.resolve(envelope));
  }

  start(): void {
    this.inbox.start();
  }

  stop(): Promise<void> {
    return this.inbox.stop();
  }

  /**
   * Sends a request and resolves with its response.
   * @throws AppError as the handler threw it; `bus.timeout` where no answer came in time: it may have been done or not
   */
  async request<Request, Response>(
    contract: RequestContract<Request, Response>,
    input: Request,
    options: RequestOptions,
  ): Promise<Response> {
    const end = this.parts.metrics.requestSeconds.startTimer({ pattern: contract.pattern });
    const deadline = performance.now() + (options.ttlMs ?? defaultTtlMs);
    const payload = contract.request.encode(input);
    try {
      for (let attempt = 0; ; attempt += 1) {
        const reply = await this.attempt(contract, payload, options, deadline);
        if (reply && !isUnimplemented(reply)) {
          if (reply.failure) throw fromFailure(reply.failure);
          return contract.response.decode(reply.payload);
        }
        const mayRepeat = reply !== undefined || options.idempotencyKey !== undefined;
        if (!mayRepeat || options.signal?.aborted || performance.now() >= deadline) throw timeout(contract.pattern);
        this.parts.metrics.retries.inc({ kind: 'request' });
        await delay(backoffMs(attempt, { initialMs: 20, maxMs: 500 }), { signal: options.signal });
      }
    } finally {
      end();
    }
  }

  /** Tells every gateway of a change that is committed. A hint: what cannot be told is found by re-reading. */
  async tell<Message>(contract: FirehoseContract<Message>, runId: string, message: Message): Promise<void> {
    try {
      const envelope = this.envelopeOf({ kind: 'EVENT', type: contract.type, payload: contract.codec.encode(message) });
      await this.parts.redis
        .client('broker')
        .xadd(
          this.parts.redis.keys.firehose(partitionOf(runId, firehosePartitions)),
          ...(['MAXLEN', '~', firehoseMax, '*', field, Buffer.from(envelopeCodec.encode(envelope))] as const),
        );
    } catch (err) {
      this.parts.metrics.errors.inc({ pattern: contract.type, code: 'bus.unavailable' });
      this.parts.logger.warn({ err, type: contract.type, runId }, 'a change could not be told');
    }
  }

  /** One sending. Undefined: no answer within the time of one attempt, or it could not be sent. */
  private async attempt(
    contract: { pattern: string; service: string },
    payload: Uint8Array,
    options: RequestOptions,
    deadline: number,
  ): Promise<Envelope | undefined> {
    const leftMs = Math.max(1, deadline - performance.now());
    const waitMs = options.idempotencyKey === undefined ? leftMs : Math.min(leftMs, attemptMs);
    const envelope = this.envelopeOf({
      kind: 'REQUEST',
      type: contract.pattern,
      payload,
      ...options.context,
      ttlMs: Math.ceil(waitMs),
      idempotencyKey: options.idempotencyKey ?? '',
      replyTo: this.inbox.key,
    });
    const reply = this.replyOf(envelope.id, waitMs, options.signal);
    try {
      await this.send(contract.service, options.instance, envelopeCodec.encode(envelope));
    } catch (cause) {
      this.pending.delete(envelope.id);
      // Refused by the server, so surely not sent; a lost connection leaves it open.
      if (isRefusal(cause)) throw unavailable(cause);
      return reply;
    }
    return reply;
  }

  private async send(service: string, instance: string | undefined, envelope: Uint8Array): Promise<void> {
    const { redis } = this.parts;
    if (instance !== undefined) return this.inboxes.add(redis.keys.instance(instance), envelope);
    await redis
      .client('broker')
      .xadd(redis.keys.requests(service), 'MAXLEN', '~', requestStreamMax, '*', field, Buffer.from(envelope));
  }

  private replyOf(id: string, waitMs: number, signal: AbortSignal | undefined): Promise<Envelope | undefined> {
    return new Promise((resolve) => {
      const finish = (reply: Envelope | undefined): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        this.pending.delete(id);
        resolve(reply);
      };
      const abort = (): void => finish(undefined);
      const timer = setTimeout(abort, waitMs);
      signal?.addEventListener('abort', abort, { once: true });
      this.pending.set(id, { resolve: finish });
    });
  }

  private envelopeOf(
    parts: Pick<Envelope, 'kind' | 'type' | 'payload'> &
      Partial<MessageContext & Pick<Envelope, 'ttlMs' | 'idempotencyKey' | 'replyTo'>>,
  ): Envelope {
    return {
      id: newId('message'),
      kind: parts.kind,
      type: parts.type,
      version: 1,
      workspaceId: parts.workspaceId ?? '',
      ...(parts.actor ? { actor: { kind: parts.actor } } : {}),
      requestId: parts.requestId ?? '',
      ...injectTrace(),
      ttlMs: parts.ttlMs ?? 0,
      idempotencyKey: parts.idempotencyKey ?? '',
      replyTo: parts.replyTo ?? '',
      inReplyTo: '',
      payload: parts.payload,
    };
  }
}

function isUnimplemented(reply: Envelope): boolean {
  return reply.failure?.code === 'bus.unimplemented';
}

function isRefusal(error: unknown): boolean {
  return error instanceof Error && /^(OOM|NOPERM|NOAUTH|WRONGTYPE|READONLY|LOADING|NOREPLICAS)/.test(error.message);
}

function unavailable(cause: unknown): AppError {
  return new AppError('bus.unavailable', 'Something went wrong on our side.', {
    retryable: true,
    retryAfterSeconds: 1,
    cause,
  });
}

function timeout(pattern: string): AppError {
  return new AppError('bus.timeout', 'The answer did not come in time.', {
    retryable: true,
    internalMessage: `no answer to ${pattern}`,
  });
}
