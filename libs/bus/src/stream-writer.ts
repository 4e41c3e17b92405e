import type { RedisConnections } from '#libs/redis';
import { addEntries } from './scripts.js';

interface Limits {
  /** Entries that the stream keeps, about. */
  entriesMax: number;
  /** Milliseconds after which it goes by itself; 0 for never. */
  ttlMs: number;
}

interface Waiting {
  entry: Buffer;
  resolve: (id: string) => void;
  reject: (error: unknown) => void;
}

const entriesPerCommand = 256;

/** Adds to streams. What is added to one stream in one turn of the event loop goes in one command, in its order. */
export class StreamWriter {
  private readonly waiting = new Map<string, Waiting[]>();

  constructor(
    private readonly redis: RedisConnections,
    private readonly limits: Limits,
  ) {}

  /** @returns the entry's id */
  add(key: string, entry: Buffer): Promise<string> {
    return new Promise((resolve, reject) => {
      const ofKey = this.waiting.get(key);
      const one: Waiting = { entry, resolve, reject };
      if (ofKey) ofKey.push(one);
      else {
        this.waiting.set(key, [one]);
        // After the promises of this turn, which may have more to add.
        process.nextTick(() => this.flush(key));
      }
    });
  }

  private flush(key: string): void {
    const all = this.waiting.get(key) ?? [];
    this.waiting.delete(key);
    for (let from = 0; from < all.length; from += entriesPerCommand) {
      void this.send(key, all.slice(from, from + entriesPerCommand));
    }
  }

  private async send(key: string, added: readonly Waiting[]): Promise<void> {
    const { entriesMax, ttlMs } = this.limits;
    try {
      const entries = added.map(({ entry }) => entry);
      const ids = await addEntries.run(this.redis.call('broker'), key, entriesMax, ttlMs, ...entries);
      // As the script's head says: one for each.
      added.forEach(({ resolve }, index) => resolve(String((ids as unknown[])[index])));
    } catch (error) {
      for (const { reject } of added) reject(error);
    }
  }
}
