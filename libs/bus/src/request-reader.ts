import { BlockingReader, blockMs, type Call, type ReaderParts } from './blocking-reader.js';
import type { RequestDispatcher } from './dispatcher.js';
import { Slots } from './slots.js';
import { addedAtMs, decodeEnvelope, parseStreams, type StreamEntry } from './stream-entry.js';

/**
 * The requests to a service, read by its group. An entry is acknowledged and deleted before its handler runs, so a request
 * is handled at most once; one that is older than its ttl by the Redis server's clock is dropped.
 */
export class RequestReader {
  private readonly slots: Slots;
  private readonly reader: BlockingReader;

  constructor(
    private readonly key: string,
    private readonly group: string,
    private readonly consumer: string,
    private readonly dispatcher: RequestDispatcher,
    private readonly parts: ReaderParts,
    concurrency: number,
  ) {
    this.slots = new Slots(concurrency);
    this.reader = new BlockingReader('requests', parts, {
      recover: (call) => this.recover(call),
      read: (call) => this.read(call),
    });
  }

  start(): void {
    this.reader.start();
  }

  /** Takes nothing new, finishes what runs, and takes its consumer out of the group. */
  async drain(): Promise<void> {
    await this.reader.stop();
    await this.slots.idle();
    // A request is acknowledged before it is handled, so nothing can be pending here.
    await this.parts.redis
      .client('broker')
      .xgroup('DELCONSUMER', this.key, this.group, this.consumer)
      .catch(() => undefined);
  }

  private async recover(call: Call): Promise<void> {
    await ensureGroup(call, this.key, this.group);
  }

  private async read(call: Call): Promise<void> {
    await this.slots.available();
    const raw = await call(
      'XREADGROUP',
      ...['GROUP', this.group, this.consumer, 'COUNT', Math.min(this.slots.free, 128), 'BLOCK', blockMs],
      ...['STREAMS', this.key, '>'],
    );
    const entries = parseStreams(raw)[0]?.entries ?? [];
    if (entries.length > 0) this.slots.run(() => this.take(entries));
  }

  private async take(entries: readonly StreamEntry[]): Promise<void> {
    const ids = entries.map((entry) => entry.id);
    const client = this.parts.redis.client('broker');
    try {
      const [now, , deleted] = await Promise.all([
        client.time(),
        client.xack(this.key, this.group, ...ids),
        client.xdel(this.key, ...ids),
      ]);
      // Fewer deleted than read: another reader or a flush was at them, and it cannot be told which are still ours.
      if (deleted !== ids.length) return;
      const nowMs = Number(now[0]) * 1_000 + Number(now[1]) / 1_000;
      for (const entry of entries) this.slots.run(() => this.handle(entry, nowMs));
    } catch (err) {
      this.parts.logger.warn(
        { err, count: ids.length },
        'requests could not be acknowledged and are left to their callers',
      );
    }
  }

  private async handle(entry: StreamEntry, nowMs: number): Promise<void> {
    const envelope = decodeEnvelope(entry.bytes);
    if (envelope?.kind !== 'REQUEST') return;
    const remainingMs = envelope.ttlMs - (nowMs - addedAtMs(entry.id));
    if (remainingMs <= 0) {
      this.parts.metrics.stale.inc();
      return;
    }
    await this.dispatcher.dispatch(envelope, remainingMs);
  }
}

/** From the beginning and never from the end: what was sent while the group was gone is still to be read. */
export async function ensureGroup(call: Call, key: string, group: string): Promise<void> {
  try {
    await call('XGROUP', 'CREATE', key, group, '0', 'MKSTREAM');
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('BUSYGROUP'))) throw error;
  }
}
