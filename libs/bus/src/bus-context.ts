import { BaseRpcContext } from '@nestjs/microservices';
import type { Actor, Envelope } from '#libs/contracts';
import type { MessageContext } from './message-context.js';

/** What a handler knows of its message beside the payload. */
export class BusContext extends BaseRpcContext<[Envelope]> implements MessageContext {
  readonly workspaceId: string;
  readonly actor: Actor;
  readonly requestId: string;
  readonly messageId: string;
  /** Set where the caller may repeat the request; it is stored with the effect. */
  readonly idempotencyKey: string | undefined;
  private readonly deadline: number;
  private lazySignal: AbortSignal | undefined;

  constructor(envelope: Envelope, remainingMs: number = envelope.ttlMs) {
    super([envelope]);
    this.workspaceId = envelope.workspaceId;
    this.actor = envelope.actor?.kind ?? { case: undefined };
    this.requestId = envelope.requestId;
    this.messageId = envelope.id;
    this.idempotencyKey = envelope.idempotencyKey === '' ? undefined : envelope.idempotencyKey;
    this.deadline = performance.now() + remainingMs;
  }

  /** Fires when nobody waits for the answer any more; never for an event. Made when first asked for: most handlers do not. */
  get signal(): AbortSignal {
    this.lazySignal ??=
      this.getArgs()[0].kind === 'REQUEST'
        ? AbortSignal.timeout(Math.max(1, Math.ceil(this.remainingMs())))
        : neverAborted;
    return this.lazySignal;
  }

  /** Milliseconds until the answer is of no use. */
  remainingMs(): number {
    return Math.max(0, this.deadline - performance.now());
  }
}

const neverAborted = new AbortController().signal;
