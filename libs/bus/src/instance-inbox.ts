import type { Envelope } from '#libs/contracts';
import { BlockingReader, blockMs, type Call, type ReaderParts } from './blocking-reader.js';
import { addedAtMs, compareIds, decodeEnvelope, field, parseStreams } from './stream-entry.js';

/** Entries that one instance can be behind; a reply that is older is of no use to anybody. */
const inboxMax = 10_000;
const inboxTtlMs = 60_000;

export interface InboxEntry {
  envelope: Envelope;
  addedAtMs: number;
}

/**
 * The stream that one instance alone reads: replies to its requests, and requests directed to it. At most once, in order,
 * no group; it goes by itself a minute after its reader.
 */
export class InstanceInbox {
  private readonly reader: BlockingReader;
  private position = '0-0';
  private readonly listeners = new Map<Envelope['kind'], (entry: InboxEntry) => void>();

  constructor(
    readonly key: string,
    private readonly parts: ReaderParts,
  ) {
    this.reader = new BlockingReader('inbox', parts, {
      recover: (call) => this.recover(call),
      read: (call) => this.read(call),
    });
  }

  on(kind: Envelope['kind'], listener: (entry: InboxEntry) => void): void {
    this.listeners.set(kind, listener);
  }

  start(): void {
    this.reader.start();
  }

  stop(): Promise<void> {
    return this.reader.stop();
  }

  // After a loss the stream may begin again with smaller ids, of which a reader at its old place would never hear.
  private async recover(call: Call): Promise<void> {
    const last = await call('XREVRANGE', this.key, '+', '-', 'COUNT', '1');
    const lastId = Array.isArray(last) && Array.isArray(last[0]) ? String(last[0][0]) : '0-0';
    if (compareIds(lastId, this.position) < 0) this.position = '0-0';
  }

  private async read(call: Call): Promise<void> {
    const raw = await call('XREAD', 'COUNT', 512, 'BLOCK', blockMs, 'STREAMS', this.key, this.position);
    const entries = parseStreams(raw)[0]?.entries ?? [];
    if (entries.length === 0) {
      await this.recover(call);
      return;
    }
    for (const { id, bytes } of entries) {
      this.position = id;
      const envelope = decodeEnvelope(bytes);
      if (envelope) this.listeners.get(envelope.kind)?.({ envelope, addedAtMs: addedAtMs(id) });
    }
  }
}

/** Adds an envelope to an instance's inbox, on a shared client. */
export async function addToInbox(parts: ReaderParts, key: string, envelope: Uint8Array): Promise<void> {
  const client = parts.redis.client('broker');
  await Promise.all([
    client.xadd(key, 'MAXLEN', '~', inboxMax, '*', field, Buffer.from(envelope)),
    client.pexpire(key, inboxTtlMs),
  ]);
}
