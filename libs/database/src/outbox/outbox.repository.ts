import { context as traceContext, propagation } from '@opentelemetry/api';
import type { EntityManager } from 'typeorm';
import { envelopeCodec, type EventContract } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { OutboxEntity } from './outbox.entity.js';
import { markOutboxUsed } from './outbox-commits.js';

/** For whom an event is told; a BusContext is one. */
export interface EventContext {
  readonly workspaceId: string;
  readonly requestId: string;
}

/** Where a service leaves its events, in the transaction that decides them. */
export class OutboxRepository {
  /** @param service the name that the events carry as their actor */
  constructor(private readonly service: string) {}

  /**
   * Adds an event to the transaction of `manager`; it is told once that has committed, and never otherwise. The envelope
   * carries the present trace, and no access token: an event is the service's own word.
   */
  async add<Event>(
    manager: EntityManager,
    contract: EventContract<Event>,
    message: Event,
    context: EventContext,
  ): Promise<void> {
    if (!manager.queryRunner?.isTransactionActive) throw new Error('an event was added outside of a transaction');
    const carrier: { traceparent?: string; tracestate?: string } = {};
    propagation.inject(traceContext.active(), carrier);
    const messageId = newId('message');
    const envelope = envelopeCodec.encode({
      id: messageId,
      kind: 'EVENT',
      type: contract.type,
      version: 1,
      workspaceId: context.workspaceId,
      actor: { kind: { case: 'service', value: this.service } },
      requestId: context.requestId,
      traceparent: carrier.traceparent ?? '',
      tracestate: carrier.tracestate ?? '',
      ttlMs: 0,
      idempotencyKey: '',
      replyTo: '',
      inReplyTo: '',
      payload: contract.codec.encode(message),
    });
    await manager.insert(OutboxEntity, {
      messageId,
      area: contract.area,
      type: contract.type,
      envelope: Buffer.from(envelope),
    });
    markOutboxUsed(manager.queryRunner);
  }
}
