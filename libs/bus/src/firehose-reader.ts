import { firehosePartitions, type AnyFirehoseContract, type FirehoseContract } from '#libs/contracts';
import { BlockingReader, blockMs, type Call, type ReaderParts } from './blocking-reader.js';
import { compareIds, decodeEnvelope, parseStreams } from './stream-entry.js';

interface Listener {
  contract: AnyFirehoseContract;
  handle: (message: unknown) => void;
}

/**
 * The firehose of runs, read whole and without a group, from the present on. A gap leaves no trace in Redis, so on every
 * quiet moment and after each failure the reader compares the streams with its place; what it cannot have heard of is told
 * by `onGap`, and its owner re-reads.
 */
export class FirehoseReader {
  private readonly reader: BlockingReader;
  private readonly keys: string[];
  private readonly listeners = new Map<string, Listener>();
  private positions = new Map<string, string>();
  private onGap: () => void = () => undefined;

  constructor(private readonly parts: ReaderParts) {
    this.keys = Array.from({ length: firehosePartitions }, (_, partition) => parts.redis.keys.firehose(partition));
    this.reader = new BlockingReader('firehose', parts, {
      recover: (call) => this.recover(call),
      read: (call) => this.read(call),
    });
  }

  on<Message>(contract: FirehoseContract<Message>, handle: (message: Message) => void): this {
    // The listener is called with what this contract's codec has decoded, and with nothing else.
    this.listeners.set(contract.type, { contract, handle: handle as (message: unknown) => void });
    return this;
  }

  start(onGap: () => void): void {
    this.onGap = onGap;
    this.reader.start();
  }

  stop(): Promise<void> {
    return this.reader.stop();
  }

  private async recover(call: Call): Promise<void> {
    const isFirst = this.positions.size === 0;
    let hasGap = false;
    for (const key of this.keys) {
      const { first, last } = await rangeOf(call, key);
      const position = this.positions.get(key);
      const isBehindFirst =
        position !== undefined && first !== undefined && compareIds(first, position) > 0 && position !== '0-0';
      const isBeforeLast = position !== undefined && compareIds(last, position) < 0;
      if (position !== undefined && !isBehindFirst && !isBeforeLast) continue;
      hasGap = true;
      this.positions.set(key, isBeforeLast ? '0-0' : last);
    }
    if (hasGap && !isFirst) {
      this.parts.metrics.lost.inc({ stream: 'firehose' });
      this.onGap();
    }
  }

  private async read(call: Call): Promise<void> {
    const places = this.keys.map((key) => this.positions.get(key) ?? '0-0');
    const raw = await call('XREAD', 'COUNT', 1_000, 'BLOCK', blockMs, 'STREAMS', ...this.keys, ...places);
    const streams = parseStreams(raw);
    if (streams.length === 0) {
      await this.recover(call);
      return;
    }
    for (const { key, entries } of streams) {
      for (const { id, bytes } of entries) {
        this.positions.set(key, id);
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
      this.onGap();
    }
  }
}

async function rangeOf(call: Call, key: string): Promise<{ first: string | undefined; last: string }> {
  try {
    const raw = await call('XINFO', 'STREAM', key);
    if (!Array.isArray(raw)) return { first: undefined, last: '0-0' };
    const names = raw.map(String);
    const first: unknown = raw[names.indexOf('first-entry') + 1];
    return {
      first: Array.isArray(first) ? String(first[0]) : undefined,
      last: names[names.indexOf('last-generated-id') + 1] ?? '0-0',
    };
  } catch (error) {
    if (error instanceof Error && error.message.includes('no such key')) return { first: undefined, last: '0-0' };
    throw error;
  }
}
