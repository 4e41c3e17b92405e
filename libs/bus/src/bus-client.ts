import { Injectable } from '@nestjs/common';
import {
  envelopeCodec,
  fromFailure,
  type AnyRequestContract,
  type Envelope,
  type FirehoseContract,
  type RequestContract,
} from '#libs/contracts';
import { AppError, backoffMs, delay, newId, toAppError } from '#libs/kernel';
import { AwaitedReply } from './awaited-reply.js';
import type { ReaderParts } from './blocking-reader.js';
import { FirehoseTeller } from './firehose-teller.js';
import { InstanceInbox } from './instance-inbox.js';
import type { MessageContext } from './message-context.js';
import { RequestSender, type SentRequest } from './request-sender.js';
import { asBuffer } from './stream-entry.js';
import { injectTrace } from './trace.js';

export interface RequestOptions {
  context: MessageContext;
  /** How long the answer is of use; default 15 s. */
  ttlMs?: number;
  /** With it the request may be sent again while its ttl lasts; the handler stores it with its effect. */
  idempotencyKey?: string;
  /** Sends it to this one instance instead of any. */
  instance?: string;
  signal?: AbortSignal;
}

/** Longer than a failover by Sentinel takes (5 s until it is noticed, then the vote and the promotion): it is waited for, not told. */
const defaultTtlMs = 15_000;
/** How long a request with a key that somebody has taken is waited for before it is sent again. */
const repeatAfterMs = 2_500;

/** Sends requests and waits for their replies; tells the firehose. One for each process. */
@Injectable()
export class BusClient {
  readonly inbox: InstanceInbox;
  private readonly awaited = new Map<string, AwaitedReply>();
  private readonly sender: RequestSender;
  private readonly teller: FirehoseTeller;

  constructor(
    readonly instance: string,
    private readonly parts: ReaderParts,
  ) {
    this.sender = new RequestSender(parts);
    this.teller = new FirehoseTeller(parts);
    this.inbox = new InstanceInbox(parts.redis.keys.instance(instance), parts);
    this.inbox.hearReplies((reply) => this.awaited.get(reply.inReplyTo)?.arrive(reply));
  }

  start(): void {
    this.inbox.start();
    // What was sent earlier, or its reply, may have gone with the server that had it.
    this.parts.redis.onLoss('broker', () => {
      for (const reply of this.awaited.values()) reply.doubt();
    });
  }

  async stop(): Promise<void> {
    await this.teller.settled();
    await this.inbox.stop();
  }

  /**
   * Sends a request and resolves with its response.
   * @throws AppError as the handler threw it; `bus.unavailable` where it was surely not sent; `bus.timeout` where no answer
   * came in time: retryable where it was surely not done or may be done twice, else it may have been done or not
   */
  async request<Request, Response>(
    contract: RequestContract<Request, Response>,
    input: Request,
    options: RequestOptions,
  ): Promise<Response> {
    const begun = performance.now();
    const { pattern } = contract;
    try {
      const payload = contract.request.encode(input);
      const reply = await this.exchange(contract, payload, options, begun + (options.ttlMs ?? defaultTtlMs));
      if (reply.failure) throw fromFailure(reply.failure);
      return contract.response.decode(reply.payload);
    } catch (error) {
      this.parts.metrics.requestErrors.inc({ pattern, code: toAppError(error).code });
      throw error;
    } finally {
      this.parts.metrics.requestSeconds.observe({ pattern }, (performance.now() - begun) / 1_000);
    }
  }

  /** Tells every gateway of a change that is committed. A hint: it never fails and waits for nobody; what was missed is found by re-reading. */
  async tell<Message>(contract: FirehoseContract<Message>, runId: string, message: Message): Promise<void> {
    const payload = contract.codec.encode(message);
    this.teller.tell(
      contract,
      runId,
      this.envelopeOf({ id: newId('message'), kind: 'EVENT', type: contract.type, payload }),
    );
  }

  private async exchange(
    contract: AnyRequestContract,
    payload: Uint8Array,
    options: RequestOptions,
    deadline: number,
  ): Promise<Envelope> {
    const id = newId('message');
    const reply = new AwaitedReply();
    this.awaited.set(id, reply);
    try {
      const isRepeatable = contract.isIdempotent || options.idempotencyKey !== undefined;
      for (let attempt = 0; ; attempt += 1) {
        // The same id each time: the reply to any sending answers all of them.
        const sent = await this.send(contract, { id, payload }, options, deadline);
        const answer = sent && (await this.answerTo(sent, reply, isRepeatable, options, deadline));
        if (answer && !isUnimplemented(answer)) return answer;
        // Sent and unanswered: it may have been done, so it is sent again only where that is harmless.
        const mayRepeat = !sent || answer !== undefined || isRepeatable;
        if (!mayRepeat || options.signal?.aborted || performance.now() >= deadline) {
          throw answer?.failure ? fromFailure(answer.failure) : await this.silence(contract, sent, options);
        }
        this.parts.metrics.retries.inc({ kind: 'request' });
        const leftMs = Math.max(0, deadline - performance.now());
        await delay(Math.min(backoffMs(attempt, { initialMs: 20, maxMs: 500 }), leftMs), { signal: options.signal });
      }
    } finally {
      this.awaited.delete(id);
    }
  }

  private send(
    { service, pattern }: AnyRequestContract,
    message: { id: string; payload: Uint8Array },
    { context, idempotencyKey = '', instance }: RequestOptions,
    deadline: number,
  ): Promise<SentRequest | undefined> {
    const leftMs = Math.max(1, Math.ceil(deadline - performance.now()));
    const { workspaceId, actor, requestId, origin } = context;
    const envelope = this.envelopeOf({
      ...{ id: message.id, kind: 'REQUEST', type: pattern, payload: message.payload },
      ...{ workspaceId, actor, requestId, origin, ttlMs: leftMs, idempotencyKey, replyTo: this.inbox.key },
    });
    return this.sender.send({ service, instance }, asBuffer(envelopeCodec.encode(envelope)), leftMs);
  }

  /**
   * Undefined: no answer before the deadline, or before it is time to send a repeatable request again: at once where it was
   * lost on its way, when a server may have been lost, and with a key also after a while. Slow ones without a key would else
   * be done twice each time.
   */
  private async answerTo(
    sent: SentRequest,
    reply: AwaitedReply,
    isRepeatable: boolean,
    { idempotencyKey, signal }: RequestOptions,
    deadline: number,
  ): Promise<Envelope | undefined> {
    const isLost = sent.id === undefined && isRepeatable;
    const pauseMs = isLost ? 0 : idempotencyKey === undefined ? Infinity : repeatAfterMs;
    for (;;) {
      const leftMs = deadline - performance.now();
      const answer = await reply.within(Math.min(leftMs, pauseMs), signal);
      if (answer || signal?.aborted || performance.now() >= deadline) return answer;
      // One that nobody has taken keeps its place in the queue.
      if (isRepeatable && !(await this.sender.isWaiting(sent))) return undefined;
    }
  }

  private async silence(
    { pattern, isIdempotent }: AnyRequestContract,
    sent: SentRequest | undefined,
    { idempotencyKey }: RequestOptions,
  ): Promise<AppError> {
    if (!sent) {
      return new AppError('bus.unavailable', 'Something went wrong on our side.', {
        retryable: true,
        retryAfterSeconds: 1,
        internalMessage: `${pattern} could not be sent`,
      });
    }
    const isUndone = await this.sender.withdraw(sent);
    return new AppError('bus.timeout', 'The answer did not come in time.', {
      retryable: isUndone || isIdempotent || idempotencyKey !== undefined,
      internalMessage: isUndone ? `nobody took ${pattern}` : `no answer to ${pattern}`,
    });
  }

  private envelopeOf(
    parts: Pick<Envelope, 'id' | 'kind' | 'type' | 'payload'> &
      Partial<MessageContext & Pick<Envelope, 'ttlMs' | 'idempotencyKey' | 'replyTo'>>,
  ): Envelope {
    const { traceparent, tracestate } = injectTrace();
    return {
      id: parts.id,
      kind: parts.kind,
      type: parts.type,
      version: 1,
      workspaceId: parts.workspaceId ?? '',
      ...(parts.actor ? { actor: { kind: parts.actor } } : {}),
      ...(parts.origin ? { origin: parts.origin } : {}),
      requestId: parts.requestId ?? '',
      traceparent,
      tracestate,
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
