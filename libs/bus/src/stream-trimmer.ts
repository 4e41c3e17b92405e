import { eventStreams, type EventArea } from '#libs/contracts';
import type { ReaderParts } from './blocking-reader.js';
import { DeadLetters } from './dead-letters.js';
import { groupsOf, type GroupState } from './group-state.js';
import { addedAtMs, compareIds } from './stream-entry.js';
import { StreamMark } from './stream-mark.js';

export interface StreamLimits {
  /** Older events are not in their sender's outbox any more either. */
  ageMsMax: number;
  bytesMax: number;
}

const defaults: StreamLimits = { ageMsMax: 24 * 3_600_000, bytesMax: 256 * 2 ** 20 };
/** What is cut goes down to this share of the limit, so that it is not cut again at once. */
const cutTo = 0.8;

/** Deletes from the stream of an area what every registered group has handled. Any instance may run it. */
export class StreamTrimmer {
  private readonly key: string;
  private readonly mark: StreamMark;
  private readonly deadLetters: DeadLetters;

  constructor(
    private readonly area: EventArea,
    private readonly parts: ReaderParts,
    private readonly limits: StreamLimits = defaults,
  ) {
    this.key = parts.redis.keys.events(area, eventStreams[area].version);
    this.mark = new StreamMark(this.key, parts.redis);
    this.deadLetters = new DeadLetters(parts.redis, this.key);
  }

  async trim(): Promise<void> {
    const groups = await this.registeredGroups();
    const needed = oldestNeeded(groups, eventStreams[this.area].groups.length);
    if (needed !== undefined) await this.client.xtrim(this.key, 'MINID', needed);
    // What is left is needed by somebody, so whatever the limits cut is lost to them.
    // Of an ordered stream nothing is given up for its age: whoever was away for days reads it where they were.
    if (eventStreams[this.area].ordered !== true) await this.cutOld();
    await this.cutLarge();
    await this.measure(groups);
  }

  private async cutOld(): Promise<void> {
    const [seconds] = await this.client.time();
    const oldestMs = Number(seconds) * 1_000 - this.limits.ageMsMax;
    const [first] = await this.client.xrange(this.key, '-', '+', 'COUNT', 1);
    if (!first || addedAtMs(first[0]) >= oldestMs) return;
    this.lose(await this.client.xtrim(this.key, 'MINID', `${oldestMs}-0`), 'age');
  }

  private async cutLarge(): Promise<void> {
    const bytes = Number((await this.client.memory('USAGE', this.key)) ?? 0);
    if (bytes <= this.limits.bytesMax) return;
    const kept = Math.floor((await this.client.xlen(this.key)) * (this.limits.bytesMax / bytes) * cutTo);
    this.lose(await this.client.xtrim(this.key, 'MAXLEN', kept), 'size');
    await this.mark.remove();
  }

  private lose(count: number, why: string): void {
    if (count === 0) return;
    this.parts.metrics.lost.inc({ stream: this.area }, count);
    this.parts.logger.error({ area: this.area, count, why }, 'events were cut that somebody had not handled');
  }

  private async measure(groups: readonly GroupState[]): Promise<void> {
    const { metrics } = this.parts;
    for (const { name, pending, lag } of groups) metrics.lag.set({ area: this.area, group: name }, pending + lag);
    metrics.streamLength.set({ stream: this.area }, await this.client.xlen(this.key));
    metrics.streamLength.set({ stream: `${this.area}:dead` }, await this.deadLetters.count());
  }

  private async registeredGroups(): Promise<GroupState[]> {
    const registered: readonly string[] = eventStreams[this.area].groups;
    return (await groupsOf(this.client, this.key)).filter(({ name }) => registered.includes(name));
  }

  private get client() {
    return this.parts.redis.client('broker');
  }
}

/** The oldest entry that a group has still to handle; undefined where a registered group is missing, so that all is kept. */
function oldestNeeded(groups: readonly GroupState[], registered: number): string | undefined {
  if (groups.length < registered) return undefined;
  return groups.map(({ oldestPending, lastDelivered }) => oldestPending ?? lastDelivered).toSorted(compareIds)[0];
}
