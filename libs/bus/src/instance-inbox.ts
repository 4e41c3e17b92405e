import type { Envelope } from '#libs/contracts';
import type { RedisConnections } from '#libs/redis';
import { BlockingReader, blockMs, type Call, type ReaderParts } from './blocking-reader.js';
import { addedAtMs, compareIds, decodeEnvelope, field, parseStreams } from './stream-entry.js';

/** Entries that one instance can be behind; a reply that is older is of no use to anybody. */
const inboxMax = 10_000;
const inboxTtlMs = 60_000;
const refreshMs = 15_000;
const keysMax = 10_000;

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
  private refreshAt = 0;
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

  /** Keeps the stream while somebody reads it. One that is not there yet is made by whoever first writes to it. */
  private async refresh(call: Call): Promise<void> {
    const exists = Number(await call('PEXPIRE', this.key, inboxTtlMs)) === 1;
    this.refreshAt = performance.now() + (exists ? refreshMs : 0);
  }

  private async read(call: Call): Promise<void> {
    if (performance.now() >= this.refreshAt) await this.refresh(call);
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

/** Adds to the inboxes of others. Each stream that is written to gets its time to live, also where nobody reads it any more. */
export class InboxWriter {
  private readonly refreshedAt = new Map<string, number>();

  constructor(private readonly redis: RedisConnections) {}

  async add(key: string, envelope: Uint8Array): Promise<void> {
    const client = this.redis.client('broker');
    const sent = client.xadd(key, 'MAXLEN', '~', inboxMax, '*', field, Buffer.from(envelope));
    if (this.isDue(key)) await Promise.all([sent, client.pexpire(key, inboxTtlMs)]);
    else await sent;
  }

  private isDue(key: string): boolean {
    const now = performance.now();
    if (now - (this.refreshedAt.get(key) ?? -refreshMs) < refreshMs) return false;
    if (this.refreshedAt.size >= keysMax) this.refreshedAt.clear();
    this.refreshedAt.set(key, now);
    return true;
  }
}
