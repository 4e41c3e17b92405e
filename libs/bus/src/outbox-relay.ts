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
  private readonly seen = new Map<string, boolean>();

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

  private async run(): Promise<void> {
    let failures = 0;
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        await this.rebuildWhatIsLost();
        while ((await this.store.publishNext(batch, (messages) => this.publish(messages))) === batch);
        failures = 0;
        await this.nextTime();
      } catch (err) {
        if (signal.aborted) break;
        if (failures === 0) this.parts.logger.warn({ err }, 'events wait in the outbox');
        this.parts.metrics.retries.inc({ kind: 'outbox' });
        await delay(backoffMs(failures, { initialMs: 50, maxMs: 5_000 }), { signal });
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
      this.seen.set(message.area, true);
    }
  }

  /** A stream that was there and is gone has taken events with it; whoever had handled them knows them by their id. */
  private async rebuildWhatIsLost(): Promise<void> {
    const client = this.parts.redis.client('broker');
    for (const area of this.areas) {
      const exists = (await client.exists(this.keyOf(area))) === 1;
      const wasThere = this.seen.get(area);
      this.seen.set(area, exists);
      if (exists || wasThere === undefined) continue;
      if (wasThere) await this.rebuild(area);
    }
  }

  private async rebuild(area: EventArea): Promise<void> {
    this.parts.metrics.lost.inc({ stream: area });
    let after = 0;
    let count = 0;
    for (;;) {
      const messages = await this.store.listPublished(area, after, batch);
      await this.publish(messages);
      count += messages.length;
      after = messages.at(-1)?.sequence ?? after;
      if (messages.length < batch) break;
    }
    this.parts.logger.warn({ area, count }, 'a stream of events was lost and is told again');
  }

  private keyOf(area: string): string {
    // The outbox holds the areas of the registry's contracts only.
    return this.parts.redis.keys.events(area, eventStreams[area as EventArea].version);
  }
}
