import type { MessageHandler } from '@nestjs/microservices';
import type { AnyEventContract, Envelope } from '#libs/contracts';
import { backoffMs } from '#libs/kernel';
import { withLogFields } from '#libs/telemetry';
import { BlockingReader, blockMs, type Call, type ReaderParts } from './blocking-reader.js';
import { BusContext } from './bus-context.js';
import { DeadLetters } from './dead-letters.js';
import { resultOf } from './dispatcher.js';
import { ensureGroup } from './request-reader.js';
import { Slots } from './slots.js';
import { decodeEnvelope, parseEntries, parseStreams, type StreamEntry } from './stream-entry.js';
import { inTraceOf } from './trace.js';

export interface EventReaderOptions {
  area: string;
  key: string;
  group: string;
  consumer: string;
  concurrency: number;
  /** How long an entry may be pending before another consumer takes it over. */
  claimAfterMs: number;
  /** Deliveries after which an entry becomes a dead letter. */
  deliveriesMax: number;
}

/**
 * The events of one area, read by the service's group: at least once, acknowledged after the handler's effect. What a dead
 * consumer held is claimed; what fails is tried again with backoff; what fails too often becomes a dead letter. An event
 * that this release does not know stays pending for a newer one and never becomes a dead letter.
 */
export class EventReader {
  private readonly slots: Slots;
  private readonly reader: BlockingReader;
  private readonly deadLetters: DeadLetters;
  private readonly contracts: ReadonlyMap<string, AnyEventContract>;
  private readonly inHand = new Set<string>();
  private nextClaimAt = 0;

  constructor(
    private readonly options: EventReaderOptions,
    contracts: readonly AnyEventContract[],
    private readonly handlers: ReadonlyMap<string, MessageHandler>,
    private readonly parts: ReaderParts,
    private readonly onLoss: () => void,
  ) {
    this.slots = new Slots(options.concurrency);
    this.deadLetters = new DeadLetters(parts.redis, options.key);
    this.contracts = new Map(contracts.map((contract) => [contract.type, contract]));
    this.reader = new BlockingReader(`events-${options.area}`, parts, {
      recover: (call) => this.recover(call),
      read: (call) => this.read(call),
    });
  }

  start(): void {
    this.reader.start();
  }

  async drain(): Promise<void> {
    await this.reader.stop();
    await this.slots.idle();
  }

  // After FLUSHALL the stream is gone, and with it events that were told: their sender has them for a day.
  private async recover(call: Call): Promise<void> {
    const { key, group } = this.options;
    const existed = Number(await call('EXISTS', key)) === 1;
    await ensureGroup(call, key, group);
    if (!existed) this.onLoss();
  }

  private async read(call: Call): Promise<void> {
    await this.slots.available();
    if (performance.now() >= this.nextClaimAt) await this.claim(call);
    const { group, consumer, key } = this.options;
    const raw = await call(
      'XREADGROUP',
      ...['GROUP', group, consumer, 'COUNT', Math.max(1, this.slots.free), 'BLOCK', blockMs, 'STREAMS', key, '>'],
    );
    for (const entry of parseStreams(raw)[0]?.entries ?? []) this.take(entry, 1);
  }

  /** Takes over what has been pending too long, of dead consumers and of itself. */
  private async claim(call: Call): Promise<void> {
    const { key, group, consumer, claimAfterMs } = this.options;
    this.nextClaimAt = performance.now() + Math.min(claimAfterMs, 5_000);
    const raw = await call(
      'XAUTOCLAIM',
      key,
      group,
      consumer,
      claimAfterMs,
      '0-0',
      'COUNT',
      Math.max(1, this.slots.free),
    );
    if (!Array.isArray(raw)) return;
    const deleted = Array.isArray(raw[2]) ? raw[2].length : 0;
    if (deleted > 0) this.lose(deleted);
    for (const entry of parseEntries(raw[1])) {
      this.parts.metrics.retries.inc({ kind: 'event' });
      this.take(entry, await this.deliveriesOf(call, entry.id));
    }
  }

  private async deliveriesOf(call: Call, id: string): Promise<number> {
    const raw = await call('XPENDING', this.options.key, this.options.group, id, id, 1);
    return Array.isArray(raw) && Array.isArray(raw[0]) ? Number(raw[0][3]) : 1;
  }

  private lose(count: number): void {
    this.parts.metrics.lost.inc({ stream: this.options.area }, count);
    this.parts.logger.error({ area: this.options.area, count }, 'events were gone before they were handled');
    this.onLoss();
  }

  private take(entry: StreamEntry, deliveries: number): void {
    if (this.inHand.has(entry.id)) return;
    this.inHand.add(entry.id);
    this.slots.run(async () => {
      try {
        await this.handle(entry, deliveries);
      } catch (err) {
        this.parts.logger.warn(
          { err, area: this.options.area, deliveries },
          'an event was not handled and comes again',
        );
        this.nextClaimAt = Math.min(
          this.nextClaimAt,
          performance.now() + this.options.claimAfterMs + backoffMs(deliveries, { initialMs: 50, maxMs: 5_000 }),
        );
      } finally {
        this.inHand.delete(entry.id);
      }
    });
  }

  private async handle(entry: StreamEntry, deliveries: number): Promise<void> {
    const { key, group, area, deliveriesMax } = this.options;
    const envelope = decodeEnvelope(entry.bytes);
    const client = this.parts.redis.client('broker');
    if (!envelope || !entry.bytes) {
      await client.xack(key, group, entry.id);
      return;
    }
    const contract = this.contracts.get(envelope.type);
    const handler = this.handlers.get(envelope.type);
    if (!contract || !handler) return;
    try {
      await this.run(envelope, contract, handler);
    } catch (error) {
      if (deliveries < deliveriesMax) throw error;
      await this.deadLetters.add({ entryId: entry.id, group, bytes: entry.bytes, reason: String(error) });
      this.parts.metrics.deadLetters.inc({ area });
      this.parts.logger.error({ err: error, area, type: envelope.type }, 'an event became a dead letter');
    }
    await client.xack(key, group, entry.id);
  }

  private async run(envelope: Envelope, contract: AnyEventContract, handler: MessageHandler): Promise<void> {
    const payload: unknown = contract.codec.decode(envelope.payload);
    const fields = { requestId: envelope.requestId, workspaceId: envelope.workspaceId };
    await withLogFields(fields, () =>
      inTraceOf(envelope, envelope.type, async () => resultOf(await handler(payload, new BusContext(envelope)))),
    );
  }
}
