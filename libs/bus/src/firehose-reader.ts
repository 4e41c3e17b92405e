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
  private readonly reader: BlockingReader;
  private readonly positions: ReadonlyMap<string, StreamPosition>;
  private readonly listeners = new Map<string, Listener>();
  private onGap: () => unknown = () => undefined;
  private compareAt = 0;

  constructor(private readonly parts: ReaderParts) {
    const keys = Array.from({ length: firehosePartitions }, (_, partition) => parts.redis.keys.firehose(partition));
    this.positions = new Map(keys.map((key) => [key, new StreamPosition()]));
    this.reader = new BlockingReader('firehose', parts, {
      recover: (call) => this.compare(call),
      read: (call) => this.read(call),
    });
  }

  on<Message>(contract: FirehoseContract<Message>, handle: (message: Message) => void): this {
    // The listener is called with what this contract's codec has decoded, and with nothing else.
    this.listeners.set(contract.type, { contract, handle: handle as (message: unknown) => void });
    return this;
  }

  /** `onGap` is called when the reader has found its place, and after each loss. */
  start(onGap: () => unknown): void {
    this.onGap = onGap;
    this.reader.start();
  }

  stop(): Promise<void> {
    return this.reader.stop();
  }

  private async compare(call: Call): Promise<void> {
    this.compareAt = performance.now() + compareEveryMs;
    const found = new Set<string>();
    for (const [key, position] of this.positions) found.add(position.compare(await streamState(call, key)));
    if (found.has('gap')) {
      this.parts.metrics.lost.inc({ stream: 'firehose' });
      this.parts.logger.warn({}, 'the firehose has a gap: what is watched is read again');
    }
    if (found.has('gap') || found.has('begun')) this.reread();
  }

  private async read(call: Call): Promise<void> {
    if (performance.now() >= this.compareAt) await this.compare(call);
    const keys = [...this.positions.keys()];
    const ids = [...this.positions.values()].map(({ id }) => id);
    const raw = await call('XREAD', 'COUNT', entriesPerRead, 'BLOCK', blockMs, 'STREAMS', ...keys, ...ids);
    const streams = parseStreams(raw);
    if (streams.length === 0) await this.compare(call);
    for (const { key, entries } of streams) {
      for (const { id, bytes } of entries) {
        this.positions.get(key)?.advance(id);
        this.hear(bytes);
      }
    }
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
