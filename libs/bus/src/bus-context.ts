import { BaseRpcContext } from '@nestjs/microservices';
import type { Actor, Envelope } from '#libs/contracts';
import type { WorkOrigin } from '#libs/kernel';
import type { MessageContext } from './message-context.js';

/** What a handler knows of its message beside the payload. */
export class BusContext extends BaseRpcContext<[Envelope]> implements MessageContext {
  readonly workspaceId: string;
  readonly actor: Actor;
  readonly requestId: string;
  readonly origin: MessageContext['origin'];
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
    this.origin = envelope.origin;
    this.messageId = envelope.id;
    this.idempotencyKey = envelope.idempotencyKey === '' ? undefined : envelope.idempotencyKey;
    // Nobody waits for the handling of an event.
    this.deadline = envelope.kind === 'REQUEST' ? performance.now() + remainingMs : Infinity;
  }

  /** What the audit log says of the work; who asks by a token is named once that is proven. */
  get work(): WorkOrigin {
    const { workspaceId, requestId, origin, actor } = this;
    return {
      workspaceId,
      requestId,
      clientAddress: origin?.clientAddress || undefined,
      userAgent: origin?.userAgent || undefined,
      actor: actor.case === 'service' ? { kind: 'SERVICE', id: actor.value } : { kind: 'ANONYMOUS', id: '' },
    };
  }

  /** Fires when nobody waits for the answer any more. Made when first asked for, as few handlers do. */
  get signal(): AbortSignal {
    this.lazySignal ??=
      this.deadline === Infinity ? neverAborted : AbortSignal.timeout(Math.max(1, Math.ceil(this.remainingMs())));
    return this.lazySignal;
  }

  /** Milliseconds until the answer is of no use; Infinity for an event. */
  remainingMs(): number {
    return Math.max(0, this.deadline - performance.now());
  }
}

const neverAborted = new AbortController().signal;
