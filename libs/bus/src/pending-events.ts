import type { ReaderParts } from './blocking-reader.js';
import { parseEntries, type StreamEntry } from './stream-entry.js';

interface Place {
  key: string;
  group: string;
  consumer: string;
  claimAfterMs: number;
}

export interface Delivered {
  entry: StreamEntry;
  /** How often it has been handed out, this time included. */
  deliveries: number;
}

export interface Claimed {
  entries: Delivered[];
  /** Entries that were gone before anybody handled them. */
  deleted: number;
}

const none = '0-0';

/** The events that a group has been handed and has not acknowledged: who holds them, for how long, and how often they came. */
export class PendingEvents {
  private cursor = none;

  constructor(
    private readonly place: Place,
    private readonly parts: ReaderParts,
  ) {}

  /** Takes over what has been pending too long, whoever held it. Each call goes on where the last one ended. */
  async claim(limit: number): Promise<Claimed> {
    const { key, group, consumer, claimAfterMs } = this.place;
    const raw = await this.client.callBuffer(
      'XAUTOCLAIM',
      ...[key, group, consumer, claimAfterMs, this.cursor, 'COUNT', limit],
    );
    if (!Array.isArray(raw)) return { entries: [], deleted: 0 };
    this.cursor = String(raw[0]);
    const entries = parseEntries(raw[1]);
    const deliveries = await Promise.all(entries.map(({ id }) => this.deliveriesOf(id)));
    return {
      entries: entries.map((entry, index) => ({ entry, deliveries: deliveries[index] ?? 1 })),
      deleted: Array.isArray(raw[2]) ? raw[2].length : 0,
    };
  }

  /** Whether `claim` has come to the end of what is pending. */
  get isAtEnd(): boolean {
    return this.cursor === none;
  }

  /** Takes one event once more, which counts as a delivery; undefined where somebody else has it by now, or it is gone. */
  async again(id: string, idleMs: number): Promise<StreamEntry | undefined> {
    const { key, group, consumer } = this.place;
    const raw = await this.client.callBuffer('XCLAIM', key, group, consumer, idleMs, id);
    return parseEntries(raw)[0];
  }

  /** Keeps events that are being handled from being taken over. */
  async hold(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const { key, group, consumer } = this.place;
    await this.client.call('XCLAIM', key, group, consumer, 0, ...ids, 'JUSTID');
  }

  /** Leaves events to anybody, as if they had never been handed out: their deliveries do not count. */
  async release(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const { key, group, consumer, claimAfterMs } = this.place;
    await this.client.call(
      'XCLAIM',
      ...[key, group, consumer, 0, ...ids],
      ...['IDLE', claimAfterMs, 'RETRYCOUNT', 0, 'JUSTID'],
    );
  }

  private async deliveriesOf(id: string): Promise<number> {
    const raw: unknown = await this.client.xpending(this.place.key, this.place.group, id, id, 1);
    return Array.isArray(raw) && Array.isArray(raw[0]) ? Number(raw[0][3]) : 1;
  }

  private get client() {
    return this.parts.redis.client('broker');
  }
}
