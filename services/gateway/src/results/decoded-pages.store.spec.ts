import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Manifest, StoredPage } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { encodePage, PageStore } from '#libs/result-store';
import { MetricsRegistry } from '#libs/telemetry';
import { testPageStore } from '#libs/testing';
import { DecodedPagesStore } from './decoded-pages.store.js';
import { ProvenPagesStore } from './proven-pages.store.js';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-pages-'));
  await testPageStore(directory).mark('store-1');
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const run = { workspaceId: newId('workspace'), runId: newId('run'), fence: 1 };
const manifest: Manifest = { ...run, state: 'COMPLETE', columns: [], rowCount: 10, byteCount: 1, truncated: false };

async function storePage(number: number): Promise<StoredPage> {
  const stored = await testPageStore(directory).put({ ...run, page: number }, await encodePage([`[${number}]`]));
  return { number, firstRow: number, rowCount: 1, ...stored };
}

describe('unpacked pages', () => {
  it('are given to all who wait for one, also where others have meanwhile filled the memory', async () => {
    const stored = await Promise.all(Array.from({ length: 10 }, (_, number) => storePage(number)));
    const pages = new DecodedPagesStore(
      new ProvenPagesStore(testPageStore(directory), async () => 'store-1'),
      { rows: { cacheBytesMax: 50, responseBytesMax: 1, eventBytesMax: 1 } },
      new MetricsRegistry('gateway'),
    );
    const { promise: isSlow, resolve: arrive } = Promise.withResolvers<void>();
    const { get } = PageStore.prototype;
    vi.spyOn(PageStore.prototype, 'get').mockImplementation(async function (this: PageStore, place, checksum) {
      if (place.page === 0) await isSlow;
      return get.call(this, place, checksum);
    });
    const [first, ...others] = stored;
    if (!first) throw new Error('no page was stored');
    const waiting = [pages.get(manifest, first), pages.get(manifest, first)];
    for (const page of others) expect((await pages.get(manifest, page)).row(0)).toBe(`[${page.number}]`);
    arrive();
    for (const page of await Promise.all(waiting)) expect(page.row(0)).toBe('[0]');
  });
});
