import { Inject, Injectable } from '@nestjs/common';
import { delay, type Clock } from '#libs/kernel';
import { RedisConnections } from '#libs/redis';
import type { PageCopies, PagePlace } from '#libs/result-store';
import { CLOCK } from '#libs/service';
import { MetricsRegistry } from '#libs/telemetry';

/** As long as pages are kept in memory: what was deleted for a reason is gone then. */
const ageSecondsMax = 600;
/** Copies that are not there by then are of no use: the store would have answered. */
const readMsMax = 100;
/** Whoever was late is not asked again for this long. */
const restMs = 2_000;
/** A larger one would hold up those behind it in the connection. */
const copyBytesMax = 4 * 1024 * 1024;
/** What is on its way to a Redis that takes it slowly stays in memory until then. */
const underWayBytesMax = 8 * 1024 * 1024;

/** Copies of pages in the Redis of the cache role, for all gateways. Without that role there are none. */
@Injectable()
export class RedisPageCopies implements PageCopies {
  private readonly reads;
  private underWayBytes = 0;
  private restsUntilMs = 0;

  constructor(
    private readonly redis: RedisConnections,
    @Inject(CLOCK) private readonly clock: Clock,
    metrics: MetricsRegistry,
  ) {
    this.reads = metrics.counter({
      name: 'page_copies_total',
      help: 'Pages that were looked for in the cache Redis, by whether they were there; away: it did not answer in time.',
      labels: ['outcome'],
      known: ['hit', 'miss', 'away'],
    });
  }

  async read({ runId, fence, page }: PagePlace): Promise<Uint8Array | undefined> {
    if (!this.redis.has('cache')) return undefined;
    const copy = this.isUp ? await this.ask(this.redis.keys.page(runId, fence, page)) : undefined;
    this.reads.inc({ outcome: copy ? 'hit' : copy === null ? 'miss' : 'away' });
    return copy ?? undefined;
  }

  keep({ runId, fence, page }: PagePlace, sealed: Uint8Array): void {
    const bytes = sealed.byteLength;
    const hasRoom = bytes <= copyBytesMax && this.underWayBytes + bytes <= underWayBytesMax;
    if (!this.redis.has('cache') || !this.isUp || !hasRoom) return;
    this.underWayBytes += bytes;
    const client = this.redis.client('cache');
    client
      .set(
        this.redis.keys.page(runId, fence, page),
        Buffer.from(sealed.buffer, sealed.byteOffset, bytes),
        'EX',
        ageSecondsMax,
      )
      .catch(() => undefined)
      .finally(() => (this.underWayBytes -= bytes));
  }

  private get isUp(): boolean {
    return this.redis.isReady('cache') && this.clock.monotonicMs() >= this.restsUntilMs;
  }

  /** Null where there is none, undefined where nobody says so in time. */
  private async ask(key: string): Promise<Buffer | null | undefined> {
    const client = this.redis.client('cache');
    const waiting = new AbortController();
    const late = delay(readMsMax, { signal: waiting.signal }).then(() => undefined);
    const copy = await Promise.race([client.getBuffer(key).catch(() => undefined), late]);
    waiting.abort();
    if (copy === undefined) this.restsUntilMs = this.clock.monotonicMs() + restMs;
    return copy;
  }
}
