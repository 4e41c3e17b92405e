import { backoffMs, delay } from '#libs/kernel';
import type { ReaderParts } from './blocking-reader.js';
import { StreamWriter } from './stream-writer.js';

/** Entries that an instance can be behind; a reply that is older is of no use to anybody. */
const inboxMax = 10_000;
/** An inbox goes by itself this long after its reader and the last writing to it. */
export const inboxTtlMs = 60_000;

/** Adds to the inboxes of others. Every stream that is written to gets its time to live, also where nobody reads it any more. */
export class InboxWriter {
  private readonly streams: StreamWriter;

  constructor(private readonly parts: ReaderParts) {
    this.streams = new StreamWriter(parts.redis, { entriesMax: inboxMax, ttlMs: inboxTtlMs });
  }

  /** @returns the entry's id */
  add(key: string, envelope: Buffer): Promise<string> {
    return this.streams.add(key, envelope);
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
}
