import type { Envelope } from '#libs/contracts';
import { BlockingReader, blockMs, type Call, type ReaderParts } from './blocking-reader.js';
import { inboxTtlMs } from './inbox-writer.js';
import { compareIds, decodeEnvelope, parseStreams, type StreamEntry } from './stream-entry.js';
import { streamState } from './stream-state.js';

const refreshMs = 15_000;
/** Replies that have been read are deleted when there are so many: each may hold a whole small result. */
const deletedTogether = 64;

/**
 * The stream that one instance alone reads: replies to its requests, and requests directed to it. At most once, in order,
 * no group; it goes by itself a minute after its reader. What an earlier process of the same name has left in it is read
 * too: its replies are nobody's any more, and its requests are taken like others, if they are still awaited.
 */
export class InstanceInbox {
  private readonly reader: BlockingReader;
  private position = '0-0';
  private refreshAt = 0;
  private spent: string[] = [];
  private onReply: (reply: Envelope) => void = () => undefined;
  private onRequests: (entries: readonly StreamEntry[]) => void = () => undefined;

  constructor(
    readonly key: string,
    private readonly parts: ReaderParts,
  ) {
    this.reader = new BlockingReader('inbox', key, parts, {
      recover: (call) => this.recover(call),
      read: (call) => this.read(call),
    });
  }

  hearReplies(listener: (reply: Envelope) => void): void {
    this.onReply = listener;
  }

  /** The entries are still in the stream: whoever handles them takes them out. */
  hearRequests(listener: (entries: readonly StreamEntry[]) => void): void {
    this.onRequests = listener;
  }

  start(): void {
    this.reader.start();
  }

  stop(): Promise<void> {
    return this.reader.stop();
  }

  // After a loss the stream may begin again with smaller ids, of which a reader at its old place would never hear.
  private async recover(call: Call): Promise<void> {
    const { lastId } = await streamState(call, this.key);
    if (compareIds(lastId, this.position) < 0) this.position = '0-0';
  }

  /** Keeps the stream while somebody reads it. One that is not there yet is made by whoever first writes to it. */
  private async refresh(call: Call): Promise<void> {
    const exists = Number(await call('PEXPIRE', this.key, inboxTtlMs)) === 1;
    this.refreshAt = performance.now() + (exists ? refreshMs : 0);
    this.deleteSpent();
  }

  private async read(call: Call): Promise<void> {
    if (performance.now() >= this.refreshAt) await this.refresh(call);
    const raw = await call('XREAD', 'COUNT', 512, 'BLOCK', blockMs, 'STREAMS', this.key, this.position);
    const entries = parseStreams(raw)[0]?.entries ?? [];
    if (entries.length === 0) await this.recover(call);
    else this.sort(entries);
  }

  private sort(entries: readonly StreamEntry[]): void {
    const requests: StreamEntry[] = [];
    for (const entry of entries) {
      this.position = entry.id;
      const envelope = decodeEnvelope(entry.bytes);
      if (envelope?.kind === 'REPLY') this.onReply(envelope);
      else if (envelope?.kind === 'REQUEST') requests.push(entry);
      else this.parts.metrics.malformed.inc({ stream: 'inbox' });
      if (envelope?.kind !== 'REQUEST') this.spent.push(entry.id);
    }
    if (requests.length > 0) this.onRequests(requests);
    if (this.spent.length >= deletedTogether) this.deleteSpent();
  }

  private deleteSpent(): void {
    const ids = this.spent;
    if (ids.length === 0) return;
    this.spent = [];
    this.parts.redis
      .client('broker')
      .xdel(this.key, ...ids)
      // What stays is bounded by whoever writes here.
      .catch(() => undefined);
  }
}
