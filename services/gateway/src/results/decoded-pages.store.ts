import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { InjectConfig } from '#libs/config';
import type { Manifest, StoredPage } from '#libs/contracts';
import { decodePage, objectKey, PageStore, type DecodedPage } from '#libs/result-store';
import { MetricsRegistry } from '#libs/telemetry';
import type { GatewayConfig } from '../gateway.config.js';

/** Data in memory has a maximum age, also where it never changes: what was deleted for a reason is gone then. */
const ageMsMax = 10 * 60_000;

/** Stored pages, unpacked, as many as fit into their share of the memory. Each is read once for all who ask at a time. */
@Injectable()
export class DecodedPagesStore {
  private readonly store: PageStore;
  private readonly pages: LRUCache<string, DecodedPage, () => Promise<DecodedPage>>;
  private readonly lookups;

  constructor(@InjectConfig() config: Pick<GatewayConfig, 'store' | 'rows'>, metrics: MetricsRegistry) {
    this.store = new PageStore(config.store.directory);
    this.pages = new LRUCache({
      // The cache cannot be of no size; of one byte it holds nothing.
      maxSize: Math.max(config.rows.cacheBytesMax, 1),
      sizeCalculation: (page) => Math.max(page.byteCount, 1),
      ttl: ageMsMax,
      fetchMethod: (_key, _stale, { context: read }) => read(),
    });
    this.lookups = metrics.counter({
      name: 'page_lookups_total',
      help: 'Pages of rows that were asked for, by whether they were in memory.',
      labels: ['outcome'],
    });
    metrics.gauge({ name: 'page_cache_bytes', help: 'Bytes of unpacked pages in memory.' }, (gauge) =>
      gauge.set(this.pages.calculatedSize),
    );
  }

  async get(manifest: Manifest, page: StoredPage): Promise<DecodedPage> {
    const { workspaceId, runId, fence } = manifest;
    const place = { workspaceId, runId, fence, page: page.number };
    return this.fetch(objectKey(place), async () => decodePage(await this.store.get(place, page.checksum)));
  }

  /**
   * A page for a reader who goes through a whole result once: taken from memory where it is there, and else not kept, as it
   * would put out what others come back to.
   */
  async getOnce(manifest: Manifest, page: StoredPage): Promise<DecodedPage> {
    const { workspaceId, runId, fence } = manifest;
    const place = { workspaceId, runId, fence, page: page.number };
    return this.pages.peek(objectKey(place)) ?? decodePage(await this.store.get(place, page.checksum));
  }

  /** The page that travels inside a manifest. */
  async getInline({ workspaceId, runId, fence }: Manifest, inline: Uint8Array): Promise<DecodedPage> {
    return this.fetch(`${workspaceId}/${runId}/${fence}/inline`, () => decodePage(inline));
  }

  /** @throws AppError where the directory is not the store that the results service has */
  async prove(identity: string): Promise<void> {
    await this.store.prove(identity);
  }

  private async fetch(key: string, read: () => Promise<DecodedPage>): Promise<DecodedPage> {
    this.lookups.inc({ outcome: this.pages.has(key) ? 'hit' : 'miss' });
    const page = await this.pages.fetch(key, { context: read });
    // fetch answers undefined only where the read was aborted, which nobody does.
    if (!page) throw new Error(`page ${key} was not read`);
    return page;
  }
}
