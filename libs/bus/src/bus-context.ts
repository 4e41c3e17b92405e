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
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  private readonly deadline: number;

  constructor(envelope: Envelope, remainingMs: number = envelope.ttlMs) {
    super([envelope]);
    this.workspaceId = envelope.workspaceId;
    this.actor = envelope.actor?.kind ?? { case: undefined };
    this.requestId = envelope.requestId;
    this.messageId = envelope.id;
    this.idempotencyKey = envelope.idempotencyKey === '' ? undefined : envelope.idempotencyKey;
    this.deadline = performance.now() + remainingMs;
    this.signal = envelope.kind === 'REQUEST' ? AbortSignal.timeout(Math.max(1, Math.ceil(remainingMs))) : neverAborted;
  }

  /** Milliseconds until the answer is of no use. */
  remainingMs(): number {
    return Math.max(0, this.deadline - performance.now());
  }
}

const neverAborted = new AbortController().signal;
