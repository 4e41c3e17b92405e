import { BlockingReader, blockMs, type Call, type ReaderParts } from './blocking-reader.js';
import { ConsumerJanitor } from './consumer-janitor.js';
import type { RequestDispatcher } from './dispatcher.js';
import { ensureGroup } from './ensure-group.js';
import { takeRequests } from './scripts.js';
import { ServerClock } from './server-clock.js';
import { Slots } from './slots.js';
import { parseStreams, type StreamEntry } from './stream-entry.js';
import { takeEntries } from './take-entries.js';

/** Small enough that the caller works on the first answers while the others are being made. */
const entriesPerRead = 32;

/**
 * The requests to a service, read by its group. An entry is deleted and acknowledged before its handler runs, so a request
 * is handled at most once; one that is older than its ttl by the Redis server's clock is dropped.
 */
export class RequestReader {
  private readonly slots: Slots;
  private readonly reader: BlockingReader;
  private readonly janitor: ConsumerJanitor;
  private readonly taking = new Set<Promise<void>>();
  private readonly clock = new ServerClock();

  constructor(
    private readonly key: string,
    private readonly group: string,
    private readonly consumer: string,
    private readonly dispatcher: RequestDispatcher,
    private readonly parts: ReaderParts,
    concurrency: number,
  ) {
    this.slots = new Slots(concurrency);
    this.janitor = new ConsumerJanitor({ key, group, consumer }, parts);
    this.reader = new BlockingReader('requests', key, parts, {
      recover: (call) => this.recover(call),
      read: (call) => this.read(call),
      settle: () => Promise.all(this.taking),
    });
  }

  start(): void {
    this.reader.start();
  }

  /** Takes out of the group what processes that died have left in it. */
  async tidy(): Promise<void> {
    await this.janitor.dropAbandoned();
    await this.janitor.deleteLeaked();
  }

  /** Takes nothing new, finishes what runs, and takes its consumer out of the group. */
  async drain(): Promise<void> {
    await this.reader.finish();
    await this.slots.idle();
    await this.dispatcher.settled();
    await this.janitor.leave();
  }

  private async recover(call: Call): Promise<void> {
    this.clock.forget();
    await ensureGroup(call, this.key, this.group);
    await takeRequests.prepare(call);
  }

  private async read(call: Call): Promise<void> {
    await this.slots.available();
    if (this.reader.isStopping()) return;
    const raw = await call(
      'XREADGROUP',
      ...['GROUP', this.group, this.consumer, 'COUNT', Math.min(this.slots.free, entriesPerRead), 'BLOCK', blockMs],
      ...['STREAMS', this.key, '>'],
    );
    const entries = parseStreams(raw)[0]?.entries;
    if (!entries) return;
    // Not awaited: it goes in one packet with the next read, before it.
    const taking: Promise<void> = this.take(call, entries).finally(() => this.taking.delete(taking));
    this.taking.add(taking);
  }

  private async take(call: Call, entries: readonly StreamEntry[]): Promise<void> {
    this.slots.take(entries.length);
    let handed = 0;
    try {
      await takeEntries(call, this.parts, {
        ...{ key: this.key, group: this.group, entries, clock: this.clock },
        isIdempotent: ({ type }) => this.dispatcher.isIdempotent(type),
        hand: ({ envelope, remainingMs }) => {
          handed += 1;
          void this.dispatcher.dispatch(envelope, remainingMs).finally(() => this.slots.give(1));
        },
      });
    } catch (err) {
      // It is not known which of them are deleted, so none may run.
      this.parts.logger.warn(
        { err, count: entries.length },
        'requests could not be taken and are left to their callers',
      );
    } finally {
      this.slots.give(entries.length - handed);
    }
  }
}
