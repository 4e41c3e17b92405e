import type { MessageHandler } from '@nestjs/microservices';
import type { AnyEventContract } from '#libs/contracts';
import { backoffMs, delay } from '#libs/kernel';
import { BlockingReader, blockMs, type Call, type ReaderParts } from './blocking-reader.js';
import { ConsumerJanitor } from './consumer-janitor.js';
import { ensureGroup } from './ensure-group.js';
import { EventHandling } from './event-handling.js';
import { PendingEvents, type Delivered } from './pending-events.js';
import { Slots } from './slots.js';
import { parseStreams, type StreamEntry } from './stream-entry.js';

export interface EventReaderOptions {
  area: string;
  key: string;
  group: string;
  consumer: string;
  concurrency: number;
  /** Whether an event that fails holds up those after it: with a concurrency of 1 they are handled in their order. */
  ordered?: boolean;
  /** How long an event may be pending before another consumer takes it over. */
  claimAfterMs: number;
  /** Deliveries after which an event becomes a dead letter. */
  deliveriesMax: number;
}

/**
 * Times after which an event of an ordered stream no longer holds up the others. With the backoff that is about seven
 * minutes: longer than most outages, and shorter than what one event that can never be handled may cost the others.
 */
const heldDeliveriesMax = 30;
/** Failed events that wait in memory for their next time; those beyond it come again when they are claimed. */
const waitingMax = 1_000;
const claimRoundMs = 5_000;
const batchesPerRound = 10;
/** Events of an ordered stream that are taken at once. */
const gatheredMax = 64;

/**
 * The events of one area, read by the service's group: at least once, acknowledged after the handler's effect. What fails
 * is tried again with backoff and becomes a dead letter in the end; what a dead consumer held is claimed; what is being
 * handled is held. In an ordered stream what fails is tried again at its place. An event that this release does not know stays pending for a newer one and never becomes a dead letter.
 */
export class EventReader {
  private readonly slots: Slots;
  private readonly reader: BlockingReader;
  private readonly pending: PendingEvents;
  private readonly handling: EventHandling;
  private readonly janitor: ConsumerJanitor;
  private readonly inHand = new Set<string>();
  private readonly stopping = new AbortController();
  private readonly waiting = new Map<string, NodeJS.Timeout>();
  private holding: NodeJS.Timeout | undefined;
  private nextClaimAt = 0;

  constructor(
    private readonly options: EventReaderOptions,
    contracts: readonly AnyEventContract[],
    handlers: ReadonlyMap<string, MessageHandler>,
    private readonly parts: ReaderParts,
    private readonly onLoss: () => void,
  ) {
    this.slots = new Slots(options.concurrency);
    this.pending = new PendingEvents(options, parts);
    this.handling = new EventHandling(options, contracts, handlers, parts);
    this.janitor = new ConsumerJanitor(options, parts);
    this.reader = new BlockingReader(`events-${options.area}`, options.key, parts, {
      recover: (call) => this.recover(call),
      read: (call) => this.read(call),
    });
  }

  start(): void {
    this.reader.start();
    this.holding = setInterval(() => void this.hold(), this.options.claimAfterMs / 3);
    this.holding.unref();
  }

  /** Takes out of the group what processes that died have left in it. */
  tidy(): Promise<void> {
    return this.janitor.deleteLeaked();
  }

  /** Takes nothing new, finishes what runs, leaves the rest to others, and takes its consumer out of the group. */
  async drain(): Promise<void> {
    this.stopping.abort();
    for (const timer of this.waiting.values()) clearTimeout(timer);
    this.waiting.clear();
    await this.reader.finish();
    await this.slots.idle();
    clearInterval(this.holding);
    await this.janitor.leave();
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
    if (this.reader.isStopping()) return;
    if (performance.now() >= this.nextClaimAt) await this.claim();
    if (this.room === 0) return;
    const { group, consumer, key } = this.options;
    const raw = await call(
      'XREADGROUP',
      ...['GROUP', group, consumer, 'COUNT', this.room],
      ...['BLOCK', Math.min(blockMs, this.options.claimAfterMs), 'STREAMS', key, '>'],
    );
    this.take((parseStreams(raw)[0]?.entries ?? []).map((entry) => ({ entry, deliveries: 1 })));
  }

  /** How many events it takes at once: those of an ordered stream are in the hand of one. */
  private get room(): number {
    return this.options.ordered && this.slots.free > 0 ? gatheredMax : this.slots.free;
  }

  private async claim(): Promise<void> {
    this.nextClaimAt = performance.now() + Math.min(this.options.claimAfterMs, claimRoundMs);
    for (let batch = 0; batch < batchesPerRound && this.room > 0; batch += 1) {
      const { entries, deleted } = await this.pending.claim(this.room);
      if (deleted > 0) this.lose(deleted);
      if (entries.length > 0) this.parts.metrics.retries.inc({ kind: 'event' }, entries.length);
      this.take(entries);
      if (this.pending.isAtEnd) break;
    }
  }

  private lose(count: number): void {
    this.parts.metrics.lost.inc({ stream: this.options.area }, count);
    this.parts.logger.error({ area: this.options.area, count }, 'events were gone before they were handled');
    this.onLoss();
  }

  private take(delivered: readonly Delivered[]): void {
    const taken = delivered.filter(({ entry: { id } }) => !this.inHand.has(id) && !this.waiting.has(id));
    for (const { entry } of taken) this.inHand.add(entry.id);
    if (!this.options.ordered) for (const one of taken) this.slots.run(() => this.handleTaken(one));
    else if (taken.length > 0) this.slots.run(() => this.handleInOrder(taken));
  }

  /** Together where that can be, else one by one. What has not been begun when this process ends is left to others. Never rejects. */
  private async handleInOrder(taken: readonly Delivered[]): Promise<void> {
    if (await this.handleGathered(taken)) return;
    for (const [index, one] of taken.entries()) {
      if (index > 0 && this.stopping.signal.aborted) {
        await this.leave(taken.slice(index));
        return;
      }
      await this.handleTaken(one);
    }
  }

  /** @returns whether nothing is left to do with them here */
  private async handleGathered(taken: readonly Delivered[]): Promise<boolean> {
    // What comes again may have taken its process with it, and goes by itself.
    if (taken.length === 1 || taken.some(({ deliveries }) => deliveries > 1)) return false;
    const entries = taken.map(({ entry }) => entry);
    try {
      if (!(await this.handling.handleGathered(entries))) return false;
    } catch (err) {
      this.warnOfComingAgain(err);
    }
    for (const { id } of entries) this.inHand.delete(id);
    return true;
  }

  private async leave(taken: readonly Delivered[]): Promise<void> {
    const ids = taken.map(({ entry }) => entry.id);
    for (const id of ids) this.inHand.delete(id);
    await this.pending.release(ids).catch((err: unknown) => {
      this.parts.logger.warn(
        { err, area: this.options.area },
        'events could not be left to others and will be claimed',
      );
    });
  }

  /** Never rejects. */
  private async handleTaken({ entry, deliveries }: Delivered): Promise<void> {
    try {
      await this.handle(entry, deliveries);
    } catch (err) {
      this.warnOfComingAgain(err);
    } finally {
      this.inHand.delete(entry.id);
    }
  }

  private warnOfComingAgain(err: unknown): void {
    this.parts.logger.warn({ err, area: this.options.area }, 'an event could not be acknowledged and comes again');
  }

  private async handle(entry: StreamEntry, deliveries: number): Promise<void> {
    const outcome = await this.handling.handle(entry, deliveries);
    if (outcome === 'unknown' && deliveries > 1) await this.pending.release([entry.id]);
    if (outcome !== 'failed') return;
    if (this.options.ordered !== true || deliveries >= heldDeliveriesMax) {
      this.tryLater(entry.id, deliveries);
      return;
    }
    await delay(this.backoffMs(deliveries), { signal: this.stopping.signal });
    this.parts.metrics.retries.inc({ kind: 'event' });
    if (!this.stopping.signal.aborted) await this.handle(entry, deliveries + 1);
  }

  /** Not so late that somebody else would claim it before. */
  private tryLater(id: string, deliveries: number): void {
    if (this.reader.isStopping() || this.waiting.size >= waitingMax) return;
    const waitMs = this.backoffMs(deliveries);
    const timer = setTimeout(() => {
      this.waiting.delete(id);
      void this.tryAgain(id, deliveries + 1, waitMs / 2);
    }, waitMs);
    this.waiting.set(id, timer);
  }

  private backoffMs(deliveries: number): number {
    return backoffMs(deliveries - 1, { initialMs: 200, maxMs: this.options.claimAfterMs * 0.8 });
  }

  private async tryAgain(id: string, deliveries: number, idleMs: number): Promise<void> {
    try {
      await this.slots.available();
      if (this.reader.isStopping()) return;
      const entry = await this.pending.again(id, Math.floor(idleMs));
      this.parts.metrics.retries.inc({ kind: 'event' });
      if (entry) this.take([{ entry, deliveries }]);
    } catch (err) {
      this.parts.logger.warn({ err, area: this.options.area }, 'an event could not be taken again; it will be claimed');
    }
  }

  private async hold(): Promise<void> {
    try {
      await this.pending.hold([...this.inHand]);
    } catch (err) {
      this.parts.logger.debug({ err, area: this.options.area }, 'events in hand could not be held');
    }
  }
}
