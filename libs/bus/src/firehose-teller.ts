import { envelopeCodec, firehosePartitions, type Envelope, type FirehoseContract } from '#libs/contracts';
import type { ReaderParts } from './blocking-reader.js';
import { partitionOf } from './partition-of.js';
import { asBuffer } from './stream-entry.js';
import { StreamWriter } from './stream-writer.js';

const entriesMax = 100_000;
/** Messages on their way at once; more than that is a Redis that does not answer, and memory is not to grow with it. */
const onTheWayMax = 10_000;
const logEveryMs = 10_000;

/** Tells the firehose. A hint: whoever missed it re-reads, so nothing here waits, fails or is tried again. */
export class FirehoseTeller {
  private readonly onTheWay = new Set<Promise<void>>();
  private readonly streams: StreamWriter;
  private untold = 0;
  private logAt = 0;

  constructor(private readonly parts: ReaderParts) {
    this.streams = new StreamWriter(parts.redis, { entriesMax, ttlMs: 0 });
  }

  tell<Message>(contract: FirehoseContract<Message>, runId: string, envelope: Envelope): void {
    const { redis } = this.parts;
    if (!redis.isReady('broker') || this.onTheWay.size >= onTheWayMax) {
      this.fail(contract.type, new Error('Redis does not answer'));
      return;
    }
    const key = redis.keys.firehose(partitionOf(runId, firehosePartitions));
    const sending: Promise<void> = this.streams
      .add(key, asBuffer(envelopeCodec.encode(envelope)))
      .then(
        () => undefined,
        (error: unknown) => this.fail(contract.type, error),
      )
      .finally(() => this.onTheWay.delete(sending));
    this.onTheWay.add(sending);
  }

  /** Resolves when all that was told has been sent or has failed. */
  async settled(): Promise<void> {
    await Promise.all(this.onTheWay);
  }

  private fail(type: string, err: unknown): void {
    this.untold += 1;
    this.parts.metrics.errors.inc({ pattern: type, code: 'bus.unavailable' });
    const now = performance.now();
    if (now < this.logAt) return;
    this.logAt = now + logEveryMs;
    this.parts.logger.warn({ err, type, count: this.untold }, 'changes could not be told');
    this.untold = 0;
  }
}
