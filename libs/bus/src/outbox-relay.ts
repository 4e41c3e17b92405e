import { eventStreams, type EventArea } from '#libs/contracts';
import type { OutboxMessage, OutboxStore } from '#libs/database';
import { backoffMs, delay } from '#libs/kernel';
import type { ReaderParts } from './blocking-reader.js';
import { asBuffer, field } from './stream-entry.js';
import { StreamWatch } from './stream-watch.js';

const batch = 200;
const pollMs = 1_000;
/** Under load events go in batches this far apart, which costs far less than each for itself; a single one goes at once. */
const gatherMs = 100;
const readyMs = 1_000;

/** What the relay needs of the outbox. */
export type RelayedOutbox = Pick<OutboxStore, 'onCommitted' | 'publishNext' | 'listPublished' | 'lastPublished'>;

/**
 * Carries a service's committed events into their streams, in order, at least once, and tells what was lost there again
 * from the outbox: whoever had handled an event knows it by its id.
 */
export class OutboxRelay {
  private readonly stopping = new AbortController();
  private readonly watches: ReadonlyMap<string, StreamWatch>;
  private loop: Promise<void> | undefined;
  private wake: () => void = () => undefined;
  private isPoked = false;
  private relayedAt = -Infinity;

  constructor(
    private readonly store: RelayedOutbox,
    areas: readonly EventArea[],
    private readonly parts: ReaderParts,
  ) {
    this.watches = new Map(areas.map((area) => [area, new StreamWatch(area, this.keyOf(area), store, parts)]));
  }

  start(): void {
    const unsubscribe = this.store.onCommitted(() => this.poke());
    this.stopping.signal.addEventListener('abort', unsubscribe);
    this.loop = this.run();
  }

  poke(): void {
    this.isPoked = true;
    this.wake();
  }

  /** Tells what is committed by now, as far as Redis lets it; the rest waits for another instance. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.wake();
    await this.loop;
  }

  // A method, as the compiler would take a property for unchanged over an await.
  isStopping(): boolean {
    return this.stopping.signal.aborted;
  }

  private async run(): Promise<void> {
    let failures = 0;
    while (!this.isStopping()) {
      try {
        await this.relay();
        if (failures > 0) this.parts.logger.info({}, 'events go on from the outbox');
        failures = 0;
        await this.nextTime();
      } catch (err) {
        if (this.isStopping()) break;
        if (failures === 0) this.parts.logger.warn({ err }, 'events wait in the outbox');
        this.parts.metrics.retries.inc({ kind: 'outbox' });
        await delay(backoffMs(failures, { initialMs: 50, maxMs: 5_000 }), { signal: this.stopping.signal });
        failures += 1;
      }
    }
    await this.tellWaiting().catch((err: unknown) => this.parts.logger.warn({ err }, 'events stay in the outbox'));
  }

  private async relay(): Promise<void> {
    this.relayedAt = performance.now();
    await this.assertReady();
    for (const watch of this.watches.values()) {
      await watch.rebuildWhatIsLost(async (messages) => {
        this.stopping.signal.throwIfAborted();
        await this.publish(messages);
      });
    }
    await this.tellWaiting();
  }

  /** Asked before a transaction is begun, which would only wait for Redis with a connection of the pool in its hand. */
  private async assertReady(): Promise<void> {
    if (!(await this.parts.redis.ready('broker', readyMs))) throw new Error('Redis cannot be reached');
  }

  private async tellWaiting(): Promise<void> {
    await this.assertReady();
    while ((await this.store.publishNext(batch, (messages) => this.publish(messages))) === batch);
  }

  private async nextTime(): Promise<void> {
    if (!this.isPoked && !this.stopping.signal.aborted) {
      const timeout = new AbortController();
      const poked = new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      await Promise.race([poked, delay(pollMs, { signal: timeout.signal })]);
      timeout.abort();
    }
    await delay(Math.max(0, this.relayedAt + gatherMs - performance.now()), { signal: this.stopping.signal });
    this.isPoked = false;
  }

  /** All of an area's messages or none of them, so that their order holds also where Redis becomes full in between. */
  private async publish(messages: readonly OutboxMessage[]): Promise<void> {
    for (const [area, ofArea] of Map.groupBy(messages, (message) => message.area)) {
      const transaction = this.parts.redis.client('broker').multi();
      for (const { envelope } of ofArea) transaction.xadd(this.keyOf(area), '*', field, asBuffer(envelope));
      const results = await transaction.exec();
      const failed = results?.find(([error]) => error)?.[0];
      if (failed) throw failed;
      this.watches.get(area)?.reached(String(results?.at(-1)?.[1]));
    }
  }

  private keyOf(area: string): string {
    // The outbox holds the areas of the registry's contracts only.
    return this.parts.redis.keys.events(area, eventStreams[area as EventArea].version);
  }
}
