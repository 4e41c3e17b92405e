import { backoffMs, delay } from '#libs/kernel';
import type { ReaderParts } from './blocking-reader.js';
import { field } from './stream-entry.js';

/** Entries that an instance can be behind; a reply that is older is of no use to anybody. */
const inboxMax = 10_000;
/** An inbox goes by itself this long after its reader and the last writing to it. */
export const inboxTtlMs = 60_000;

/** Adds to the inboxes of others. Every stream that is written to gets its time to live, also where nobody reads it any more. */
export class InboxWriter {
  private readonly touched = new Set<string>();

  constructor(private readonly parts: ReaderParts) {}

  /** @returns the entry's id */
  async add(key: string, envelope: Buffer): Promise<string | null> {
    const added = this.parts.redis.client('broker').xadd(key, 'MAXLEN', '~', inboxMax, '*', field, envelope);
    if (!this.touched.has(key)) this.keepAlive(key);
    return added;
  }

  /** Adds a reply; tries until it is of no use any more, also while Redis is full. Whoever waits takes the first of two equal ones. */
  async reply(key: string, envelope: Buffer, deadline: number): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        await this.add(key, envelope);
        return;
      } catch (error) {
        const waitMs = backoffMs(attempt, { initialMs: 20, maxMs: 1_000 });
        if (performance.now() + waitMs >= deadline) throw error;
        this.parts.metrics.retries.inc({ kind: 'reply' });
        await delay(waitMs);
      }
    }
  }

  /** Once for all that is written in one turn of the event loop. Where it fails, the next writing does it. */
  private keepAlive(key: string): void {
    if (this.touched.size === 0) setImmediate(() => this.touched.clear());
    this.touched.add(key);
    this.parts.redis
      .client('broker')
      .pexpire(key, inboxTtlMs)
      .catch(() => undefined);
  }
}
