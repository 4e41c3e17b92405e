import { firehosePartitions, type AnyFirehoseContract, type FirehoseContract } from '#libs/contracts';
import { BlockingReader, blockMs, type Call, type ReaderParts } from './blocking-reader.js';
import { decodeEnvelope, parseStreams } from './stream-entry.js';
import { StreamPosition } from './stream-position.js';
import { streamState } from './stream-state.js';

interface Listener {
  contract: AnyFirehoseContract;
  handle: (message: unknown) => void;
}

const entriesPerRead = 1_000;
/** How long the reader believes a busy stream before it compares. */
const compareEveryMs = 5_000;

/**
 * The firehose of runs, read whole and without a group, from the present on. A gap leaves no trace in Redis, so on every
 * quiet moment, after each failure and every few seconds the reader compares the streams with its place; what it cannot
 * have heard of, and all that was before it came, is told by `onGap`, and its owner re-reads.
 */
export class FirehoseReader {
  /** One for all partitions, or in a Cluster one for each. */
  private readonly readers: readonly BlockingReader[];
  private readonly positions = new Map<string, StreamPosition>();
  private readonly listeners = new Map<string, Listener>();
  private onGap: () => unknown = () => undefined;
  private readonly compareAt = new Map<readonly string[], number>();

  constructor(private readonly parts: ReaderParts) {
    const keys = Array.from({ length: firehosePartitions }, (_, partition) => parts.redis.keys.firehose(partition));
    this.readers = parts.redis.together('broker', keys).map(
      (near) =>
        new BlockingReader('firehose', near[0] ?? '', parts, {
          recover: (call) => this.compare(call, near),
          read: (call) => this.read(call, near),
        }),
    );
  }

  on<Message>(contract: FirehoseContract<Message>, handle: (message: Message) => void): this {
    // The listener is called with what this contract's codec has decoded, and with nothing else.
    this.listeners.set(contract.type, { contract, handle: handle as (message: unknown) => void });
    return this;
  }

  /** `onGap` is called when the reader has found its place, and after each loss. */
  start(onGap: () => unknown): void {
    this.onGap = onGap;
    for (const reader of this.readers) reader.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.readers.map((reader) => reader.stop()));
  }

  private async compare(call: Call, keys: readonly string[]): Promise<void> {
    this.compareAt.set(keys, performance.now() + compareEveryMs);
    const found = new Set<string>();
    for (const key of keys) found.add(this.positionOf(key).compare(await streamState(call, key)));
    if (found.has('gap')) {
      this.parts.metrics.lost.inc({ stream: 'firehose' });
      this.parts.logger.warn({}, 'the firehose has a gap: what is watched is read again');
    }
    if (found.has('gap') || found.has('begun')) this.reread();
  }

  private async read(call: Call, keys: readonly string[]): Promise<void> {
    if (performance.now() >= (this.compareAt.get(keys) ?? 0)) await this.compare(call, keys);
    const ids = keys.map((key) => this.positionOf(key).id);
    const raw = await call('XREAD', 'COUNT', entriesPerRead, 'BLOCK', blockMs, 'STREAMS', ...keys, ...ids);
    const streams = parseStreams(raw);
    if (streams.length === 0) await this.compare(call, keys);
    for (const { key, entries } of streams) {
      for (const { id, bytes } of entries) {
        this.positionOf(key).advance(id);
        this.hear(bytes);
      }
    }
  }

  private positionOf(key: string): StreamPosition {
    const known = this.positions.get(key) ?? new StreamPosition();
    this.positions.set(key, known);
    return known;
  }

  private hear(bytes: Buffer | undefined): void {
    const envelope = decodeEnvelope(bytes);
    const listener = envelope && this.listeners.get(envelope.type);
    if (!envelope || !listener) return;
    try {
      listener.handle(listener.contract.codec.decode(envelope.payload));
    } catch (err) {
      this.parts.logger.error({ err, type: envelope.type }, 'a change could not be taken in');
      this.reread();
    }
  }

  private reread(): void {
    const logged = (err: unknown): void => this.parts.logger.error({ err }, 'reading again after a gap failed');
    try {
      // It may be asynchronous; its failure must not be an unhandled one.
      Promise.resolve(this.onGap()).catch(logged);
    } catch (err) {
      logged(err);
    }
  }
}
