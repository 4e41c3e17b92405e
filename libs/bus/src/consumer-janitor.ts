import type { ReaderParts } from './blocking-reader.js';
import { deleteIdleConsumer } from './scripts.js';

/** A consumer that has not asked for this long is of a process that is gone; a living one asks every few seconds. */
const goneAfterMs = 10 * 60_000;
const entriesPerRound = 1_000;

interface Place {
  key: string;
  group: string;
  /** Of this process. */
  consumer: string;
}

/** Keeps a group free of the consumers that dead processes have left in it. Every instance does it. */
export class ConsumerJanitor {
  constructor(
    private readonly place: Place,
    private readonly parts: ReaderParts,
    private readonly afterMs = goneAfterMs,
  ) {}

  /** Takes this process's own consumer out, unless it holds something, which others then take over. */
  async leave(): Promise<void> {
    await this.delete(this.place.consumer);
  }

  /** Takes out those who are gone and hold nothing. */
  async deleteLeaked(): Promise<void> {
    const { key, group, consumer } = this.place;
    const raw: unknown = await this.parts.redis.client('broker').xinfo('CONSUMERS', key, group);
    if (!Array.isArray(raw)) return;
    for (const flat of raw.filter(Array.isArray)) {
      const of = (name: string): unknown => flat[flat.indexOf(name) + 1];
      const name = String(of('name'));
      if (name === consumer || Number(of('idle')) < this.afterMs || Number(of('pending')) > 0) continue;
      if (await this.delete(name)) this.parts.logger.info({ group, consumer: name }, 'a leaked consumer was deleted');
    }
  }

  /** Deletes requests that were handed out to processes that died before they took them; nobody waits for them any more. */
  async dropAbandoned(): Promise<void> {
    const { key, group } = this.place;
    const client = this.parts.redis.client('broker');
    const raw: unknown = await client.xpending(key, group, 'IDLE', this.afterMs, '-', '+', entriesPerRound);
    if (!Array.isArray(raw) || raw.length === 0) return;
    const ids = raw.filter(Array.isArray).map((entry) => String(entry[0]));
    await client.xdel(key, ...ids);
    await client.xack(key, group, ...ids);
    this.parts.metrics.stale.inc(ids.length);
  }

  private async delete(consumer: string): Promise<boolean> {
    const { key, group } = this.place;
    try {
      return (await deleteIdleConsumer.run(this.parts.redis.call('broker'), key, group, consumer)) === 1;
    } catch (err) {
      // A group or stream that is gone has no consumers either.
      this.parts.logger.debug({ err, group, consumer }, 'a consumer could not be deleted');
      return false;
    }
  }
}
