import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { InjectConfig } from '#libs/config';
import type { Manifest, StoredPage } from '#libs/contracts';
import { toAppError } from '#libs/kernel';
import { decodePage, objectKey, type DecodedPage } from '#libs/result-store';
import { MetricsRegistry } from '#libs/telemetry';
import type { GatewayConfig } from '../gateway.config.js';
import { ownPage, sharedPage, type PageLoan } from './page-loan.js';
import { ProvenPagesStore } from './proven-pages.store.js';

/** Data in memory has a maximum age, also where it never changes: what was deleted for a reason is gone then. */
const ageMsMax = 10 * 60_000;

/** Stored pages, unpacked, as many as fit into their share of the memory. Each is read once for all who ask at a time. */
@Injectable()
export class DecodedPagesStore {
  private readonly pages: LRUCache<string, DecodedPage, () => Promise<DecodedPage>>;
  private readonly lookups;
  private readonly faults;

  constructor(
    private readonly store: ProvenPagesStore,
    @InjectConfig() config: Pick<GatewayConfig, 'rows'>,
    metrics: MetricsRegistry,
  ) {
    this.pages = new LRUCache({
      // The cache cannot be of no size; of one byte it holds nothing.
      maxSize: Math.max(config.rows.cacheBytesMax, 1),
      sizeCalculation: (page) => Math.max(page.byteCount, 1),
      ttl: ageMsMax,
      fetchMethod: (_key, _stale, { context: read }) => read(),
      // A page that takes long is put out by others before it has come; whoever waits for it is given it all the same.
      ignoreFetchAbort: true,
    });
    this.lookups = metrics.counter({
      name: 'page_lookups_total',
      help: 'Pages of rows that were asked for, by whether they were in memory.',
      labels: ['outcome'],
    });
    this.faults = metrics.counter({
      name: 'page_faults_total',
      help: 'Pages of rows that could not be given: corrupt is for an operator to look at.',
      labels: ['reason'],
      known: ['corrupt', 'unavailable'],
    });
    metrics.gauge({ name: 'page_cache_bytes', help: 'Bytes of unpacked pages in memory.' }, (gauge) =>
      gauge.set(this.pages.calculatedSize),
    );
  }

  async get(manifest: Manifest, page: StoredPage): Promise<DecodedPage> {
    const { workspaceId, runId, fence } = manifest;
    const place = { workspaceId, runId, fence, page: page.number };
    return this.fetch(objectKey(place), async () => decodePage(await this.store.get(place, page.checksum, true)));
  }

  /**
   * A page for a reader who goes through a whole result once: taken from memory where it is there, and else not kept, as it
   * would put out what others come back to.
   */
  async lend(manifest: Manifest, page: StoredPage): Promise<PageLoan> {
    const { workspaceId, runId, fence } = manifest;
    const place = { workspaceId, runId, fence, page: page.number };
    const known = this.pages.peek(objectKey(place));
    if (known) return sharedPage(known);
    return ownPage(await this.counted(async () => decodePage(await this.store.get(place, page.checksum))));
  }

  /** The page that travels inside a manifest. */
  async getInline({ workspaceId, runId, fence }: Manifest, inline: Uint8Array): Promise<DecodedPage> {
    const place = { workspaceId, runId, fence };
    return this.fetch(`${workspaceId}/${runId}/${fence}/inline`, async () =>
      decodePage(this.store.openInline(place, inline)),
    );
  }

  private async fetch(key: string, read: () => Promise<DecodedPage>): Promise<DecodedPage> {
    this.lookups.inc({ outcome: this.pages.has(key) ? 'hit' : 'miss' });
    const page = await this.pages.fetch(key, { context: () => this.counted(read) });
    // fetch answers undefined only where the read was aborted, which nobody does.
    if (!page) throw new Error(`page ${key} was not read`);
    return page;
  }

  private async counted(read: () => Promise<DecodedPage>): Promise<DecodedPage> {
    try {
      return await read();
    } catch (error) {
      const { code } = toAppError(error);
      this.faults.inc({ reason: code === 'result.corrupt' ? 'corrupt' : 'unavailable' });
      throw error;
    }
  }
}
