import { eventStreams, type EventArea } from '#libs/contracts';
import { backoffMs, delay } from '#libs/kernel';
import type { OutboxMessage, OutboxStore } from '#libs/database';
import type { ReaderParts } from './blocking-reader.js';
import { field } from './stream-entry.js';

const batch = 200;
const pollMs = 1_000;

/** Carries a service's committed events into their streams, in order, at least once; what was lost there is told again from the outbox. */
export class OutboxRelay {
  private readonly stopping = new AbortController();
  private loop: Promise<void> | undefined;
  private wake: () => void = () => undefined;
  private isPoked = false;
  /** How many entries each stream had ever been given when it was last looked at; the count begins anew with a new stream. */
  private readonly entriesAdded = new Map<EventArea, number>();

  constructor(
    private readonly store: OutboxStore,
    private readonly areas: readonly EventArea[],
    private readonly parts: ReaderParts,
  ) {}

  start(): void {
    const unsubscribe = this.store.onCommitted(() => this.poke());
    this.stopping.signal.addEventListener('abort', unsubscribe);
    this.loop = this.run();
  }

  poke(): void {
    this.isPoked = true;
    this.wake();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.wake();
    await this.loop;
  }

  // A method, as the compiler would take a property for unchanged over an await.
  private isStopping(): boolean {
    return this.stopping.signal.aborted;
  }

  private async run(): Promise<void> {
    let failures = 0;
    while (!this.isStopping()) {
      try {
        await this.rebuildWhatIsLost();
        while ((await this.store.publishNext(batch, (messages) => this.publish(messages))) === batch);
        await this.noteEntriesAdded();
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
  }

  private async nextTime(): Promise<void> {
    if (!this.isPoked) {
      await Promise.race([
        new Promise<void>((resolve) => {
          this.wake = resolve;
        }),
        delay(pollMs, { signal: this.stopping.signal }),
      ]);
    }
    this.isPoked = false;
  }

  private async publish(messages: readonly OutboxMessage[]): Promise<void> {
    const client = this.parts.redis.client('broker');
    for (const message of messages) {
      await client.xadd(this.keyOf(message.area), '*', field, Buffer.from(message.envelope));
    }
  }

  /**
   * A stream with fewer entries added than before is another one: FLUSHALL or a failover took the old one, and events with
   * it. At a first look, one that never had an entry counts as lost too. Whoever had handled an event knows it by its id.
   */
  private async rebuildWhatIsLost(): Promise<void> {
    for (const area of this.areas) {
      const before = this.entriesAdded.get(area);
      const now = await this.entriesAddedOf(area);
      if (before === undefined ? now > 0 : now >= before) continue;
      this.entriesAdded.set(area, now);
      await this.rebuild(area);
    }
  }

  // Never lowered here: a loss since the last look is for rebuildWhatIsLost to find.
  private async noteEntriesAdded(): Promise<void> {
    for (const area of this.areas) {
      this.entriesAdded.set(area, Math.max(this.entriesAdded.get(area) ?? 0, await this.entriesAddedOf(area)));
    }
  }

  private async entriesAddedOf(area: EventArea): Promise<number> {
    try {
      const raw: unknown = await this.parts.redis.client('broker').xinfo('STREAM', this.keyOf(area));
      return Array.isArray(raw) ? Number(raw[raw.indexOf('entries-added') + 1]) : 0;
    } catch (error) {
      if (error instanceof Error && error.message.includes('no such key')) return 0;
      throw error;
    }
  }

  private async rebuild(area: EventArea): Promise<void> {
    let after = 0;
    let count = 0;
    for (;;) {
      const messages = await this.store.listPublished(area, after, batch);
      await this.publish(messages);
      count += messages.length;
      after = messages.at(-1)?.sequence ?? after;
      if (messages.length < batch) break;
    }
    if (count === 0) return;
    this.parts.metrics.lost.inc({ stream: area });
    this.parts.logger.warn({ area, count }, 'a stream of events was lost and is told again');
  }

  private keyOf(area: string): string {
    // The outbox holds the areas of the registry's contracts only.
    return this.parts.redis.keys.events(area, eventStreams[area as EventArea].version);
  }
}
