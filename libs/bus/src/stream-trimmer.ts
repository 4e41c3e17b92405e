import { eventStreams, type EventArea } from '#libs/contracts';
import type { ReaderParts } from './blocking-reader.js';
import { compareIds } from './stream-entry.js';

/** Entries that a stream may hold at the most; beyond it the oldest go, counted as loss, and are rebuilt from the outbox. */
const entriesMax = 500_000;

/** Deletes from the streams of an area what every registered group has handled. Any instance may run it. */
export class StreamTrimmer {
  constructor(
    private readonly area: EventArea,
    private readonly parts: ReaderParts,
  ) {}

  async trim(): Promise<void> {
    const { version, groups } = eventStreams[this.area];
    const key = this.parts.redis.keys.events(this.area, version);
    const needed = await this.oldestNeeded(key, groups);
    const client = this.parts.redis.client('broker');
    if (needed !== undefined) await client.xtrim(key, 'MINID', needed);
    const length = await client.xlen(key);
    if (length <= entriesMax) return;
    const gone = await client.xtrim(key, 'MAXLEN', entriesMax);
    this.parts.metrics.lost.inc({ stream: this.area }, gone);
    this.parts.logger.error({ area: this.area, count: gone }, 'events were cut that somebody had not read');
  }

  /** The oldest entry that a group has still to handle; undefined where a registered group is missing, so that all is kept. */
  private async oldestNeeded(key: string, groups: readonly string[]): Promise<string | undefined> {
    const client = this.parts.redis.client('broker');
    const needs: string[] = [];
    for (const info of await groupInfos(client.xinfo('GROUPS', key))) {
      if (!groups.includes(info.name)) continue;
      this.parts.metrics.lag.set({ area: this.area }, info.pending + info.lag);
      const oldest = await client.xpending(key, info.name);
      const pendingId = Array.isArray(oldest) && typeof oldest[1] === 'string' ? oldest[1] : undefined;
      needs.push(pendingId ?? info.lastDelivered);
    }
    if (needs.length < groups.length) return undefined;
    return needs.toSorted(compareIds)[0];
  }
}

interface GroupInfo {
  name: string;
  pending: number;
  lag: number;
  lastDelivered: string;
}

async function groupInfos(asked: Promise<unknown>): Promise<GroupInfo[]> {
  try {
    const raw = await asked;
    if (!Array.isArray(raw)) return [];
    return raw.filter(Array.isArray).map((flat: unknown[]) => {
      const of = (name: string): unknown => flat[flat.indexOf(name) + 1];
      return {
        name: String(of('name')),
        pending: Number(of('pending')),
        lag: Number(of('lag') ?? 0),
        lastDelivered: String(of('last-delivered-id')),
      };
    });
  } catch {
    // The stream is not there.
    return [];
  }
}
