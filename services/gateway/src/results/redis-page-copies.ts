import { Inject, Injectable } from '@nestjs/common';
import { delay, type Clock } from '#libs/kernel';
import { RedisConnections } from '#libs/redis';
import type { PageCopies, PagePlace } from '#libs/result-store';
import { CLOCK } from '#libs/service';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';

/** As long as pages are kept in memory: what was deleted for a reason is gone then. */
const ageSecondsMax = 600;
/** Copies that are not there by then are of no use: the store would have answered. */
const readMsMax = 100;
/** Whoever was late, or refused, is not asked again for this long. */
const restMs = 2_000;
/** A larger one would hold up those behind it in the connection. */
const copyBytesMax = 2 * 1024 * 1024;
/** What is on its way to a Redis that takes it slowly stays in memory until then. */
const underWayBytesMax = 4 * 1024 * 1024;
/** Replies that come late are made in memory all the same. */
const readsUnderWayMax = 8;

/** Copies of pages in the Redis of the cache role, for all gateways. Without that role there are none. */
@Injectable()
export class RedisPageCopies implements PageCopies {
  private readonly reads;
  private readsUnderWay = 0;
  private underWayBytes = 0;
  private restsUntilMs = 0;

  constructor(
    private readonly redis: RedisConnections,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly logger: AppLogger,
    metrics: MetricsRegistry,
  ) {
    this.reads = metrics.counter({
      name: 'page_copies_total',
      help: 'Pages that were to be looked for in the cache Redis, by what came of it; passed: it was late, refused or busy, and not asked.',
      labels: ['outcome'],
      known: ['hit', 'miss', 'late', 'refused', 'passed'],
    });
  }

  async read({ runId, fence, page }: PagePlace): Promise<Uint8Array | undefined> {
    if (!this.redis.has('cache')) return undefined;
    const mayAsk = this.isUp && this.readsUnderWay < readsUnderWayMax;
    const { outcome, copy } = mayAsk ? await this.ask(this.redis.keys.page(runId, fence, page)) : passed;
    this.reads.inc({ outcome });
    return copy;
  }

  keep({ runId, fence, page }: PagePlace, sealed: Uint8Array): void {
    const bytes = sealed.byteLength;
    const hasRoom = bytes <= copyBytesMax && this.underWayBytes + bytes <= underWayBytesMax;
    if (!this.redis.has('cache') || !this.isUp || !hasRoom) return;
    this.underWayBytes += bytes;
    const client = this.redis.client('cache');
    const key = this.redis.keys.page(runId, fence, page);
    client
      .set(key, Buffer.from(sealed.buffer, sealed.byteOffset, bytes), 'EX', ageSecondsMax)
      .catch((error: unknown) => this.rest(error))
      .finally(() => (this.underWayBytes -= bytes));
  }

  private get isUp(): boolean {
    return this.redis.isReady('cache') && this.clock.monotonicMs() >= this.restsUntilMs;
  }

  private async ask(key: string): Promise<Found> {
    const client = this.redis.client('cache');
    this.readsUnderWay += 1;
    const found = client
      .getBuffer(key)
      .then((copy): Found => (copy ? { outcome: 'hit', copy } : { outcome: 'miss' }))
      .catch((error: unknown): Found => {
        this.rest(error);
        return this.redis.isReady('cache') ? { outcome: 'refused' } : passed;
      })
      .finally(() => (this.readsUnderWay -= 1));
    const waiting = new AbortController();
    const late = delay(readMsMax, { signal: waiting.signal }).then((): Found => ({ outcome: 'late' }));
    const first = await Promise.race([found, late]);
    waiting.abort();
    if (first.outcome === 'late') this.rest(undefined);
    return first;
  }

  /** A fault is said once for each rest; that a Redis is late, or that its connection has ended, is measured already. */
  private rest(error: unknown): void {
    const isResting = this.clock.monotonicMs() < this.restsUntilMs;
    this.restsUntilMs = this.clock.monotonicMs() + restMs;
    if (error !== undefined && !isResting && this.redis.isReady('cache')) {
      this.logger.warn({ err: error }, 'the cache Redis refuses copies of pages; they are read from the store');
    }
  }
}

interface Found {
  readonly outcome: 'hit' | 'miss' | 'late' | 'refused' | 'passed';
  readonly copy?: Uint8Array;
}

const passed: Found = { outcome: 'passed' };
