import { context as traceContext, propagation } from '@opentelemetry/api';
import type { EntityManager } from 'typeorm';
import { envelopeCodec, type EventContract } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { OutboxEntity } from './outbox.entity.js';
import { tablePath } from '../table-path.js';
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
    const { sql, parameters } = this.insertion(manager, contract, message, context);
    await manager.query(sql, [...parameters]);
    this.wrote(manager);
  }

  /**
   * The insert of an event for a statement of the caller's own that decides it and leaves it here at once. When that
   * statement has been done, `wrote` is to be called.
   * @param at.first the number of the first of the four parameters
   * @param at.each a relation of the statement; the event is written once for each of its rows
   */
  insertion<Event>(
    manager: EntityManager,
    contract: EventContract<Event>,
    message: Event,
    context: EventContext,
    at: { readonly first: number; readonly each?: string } = { first: 1 },
  ): { sql: string; parameters: readonly unknown[] } {
    const { first, each } = at;
    const messageId = newId('message');
    return {
      sql: `insert into ${tablePath(manager.connection, OutboxEntity)} (message_id, area, type, envelope)
        select $${first}::text, $${first + 1}::text, $${first + 2}::text, $${first + 3}::bytea ${each ? `from ${each}` : ''}`,
      parameters: [
        ...[messageId, contract.area, contract.type],
        this.envelopeOf(messageId, contract, message, context),
      ],
    };
  }

  /** Says that an event was written, so that it is told soon after the commit. */
  wrote(manager: EntityManager): void {
    markOutboxUsed(manager);
  }

  private envelopeOf<Event>(
    messageId: string,
    contract: EventContract<Event>,
    message: Event,
    context: EventContext,
  ): Buffer {
    const carrier: { traceparent?: string; tracestate?: string } = {};
    propagation.inject(traceContext.active(), carrier);
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
    return Buffer.from(envelope);
  }
}
