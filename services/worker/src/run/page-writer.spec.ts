import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { RunPlan } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { RowBatch, type PagePlace, type PageStore } from '#libs/result-store';
import { RecordingClient } from '../../test/recording-client.js';
import { HeldRun } from './held-run.js';
import { PageWriter } from './page-writer.js';
import type { RunClient } from './run.client.js';

type StoredObject = Awaited<ReturnType<PageStore['put']>>;

/** A store that is done with a page when it is told to be. */
class HeldStore implements Pick<PageStore, 'put'> {
  isQuick = false;
  readonly puts: (PromiseWithResolvers<StoredObject> & { page: number; bytes: number })[] = [];

  put({ page }: PagePlace, bytes: Uint8Array): Promise<StoredObject> {
    const put = { ...Promise.withResolvers<StoredObject>(), page, bytes: bytes.byteLength };
    this.puts.push(put);
    if (this.isQuick) this.finish(page);
    return put.promise;
  }

  finish(page: number): void {
    const put = this.puts.find((each) => each.page === page);
    put?.resolve({ byteCount: put.bytes, checksum: new Uint8Array(32) });
  }
}

class Writing {
  readonly store = new HeldStore();
  readonly client = new RecordingClient();
  readonly run: HeldRun;
  readonly writer: PageWriter;
  /** Batches that the writer has taken. */
  taken = 0;

  constructor(limits: Partial<RunPlan> = {}) {
    const ids = { workspaceId: newId('workspace'), runId: newId('run'), fence: 1 };
    // The writer looks at nothing else of a plan; and the stand-ins have what it calls of the classes.
    const plan = { ...ids, rowsMax: 1e9, bytesMax: 1e12, ...limits } as RunPlan;
    this.run = new HeldRun(plan, () => undefined);
    this.writer = new PageWriter(this.run, [], this.store as unknown as PageStore, this.client as unknown as RunClient);
  }

  /** A source that is as fast as it is let. */
  async read(batches: number): Promise<void> {
    for (let number = 0; number < batches; number++) {
      this.writer.add(
        RowBatch.of(Array.from({ length: 100 }, (_, row) => `["${number}-${row}-${'x'.repeat(1_000)}"]`)),
      );
      await this.writer.keepUp();
      this.taken += 1;
    }
  }
}

/** Packing happens in another thread. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setImmediate();
}

async function aWhile(): Promise<void> {
  for (let turn = 0; turn < 200; turn++) await setImmediate();
}

describe('a writer of pages', () => {
  it('takes no more rows than three pages under way and the next, however long the store takes', async () => {
    const writing = new Writing();
    const reading = writing.read(200);
    await until(() => writing.store.puts.length === 3);
    await aWhile();
    expect(writing.store.puts.map(({ page }) => page).sort()).toEqual([0, 1, 2]);
    expect(writing.run.bytes).toBeLessThan(2 * 1024 * 1024);
    const { taken } = writing;
    writing.store.finish(0);
    await until(() => writing.store.puts.length === 4);
    expect(writing.taken).toBeGreaterThan(taken);
    writing.store.isQuick = true;
    for (const page of [1, 2, 3]) writing.store.finish(page);
    await reading;
    await writing.writer.end();
  });

  it('begins with a small page, as somebody waits for it, and goes on with larger ones up to a bound', async () => {
    const writing = new Writing();
    writing.store.isQuick = true;
    await writing.read(60);
    await writing.writer.seal();
    const bytes = writing.client.pages.map(({ page }) => page.rowCount * 1_010);
    [256, 512, 1_024, 1_024, 1_024].forEach((kib, index) => {
      const size = bytes[index] ?? 0;
      expect(size).toBeGreaterThan(kib * 1_000);
      // The last batch may go beyond.
      expect(size).toBeLessThan(kib * 1_024 + 110_000);
    });
  });

  it('makes pages readable in their order, whichever the store is done with first', async () => {
    const writing = new Writing();
    const reading = writing.read(18);
    await until(() => writing.store.puts.length === 3);
    writing.store.finish(2);
    writing.store.finish(1);
    await aWhile();
    expect(writing.client.asked).toEqual([]);
    writing.store.finish(0);
    await until(() => writing.client.pages.length === 3);
    expect(writing.client.asked).toEqual(['page 0', 'page 1', 'page 2']);
    const firstRows = writing.client.pages.map(({ page }) => page.firstRow);
    const counts = writing.client.pages.map(({ page }) => page.rowCount);
    expect(firstRows).toEqual([0, counts[0], (counts[0] ?? 0) + (counts[1] ?? 0)]);
    await reading;
    await writing.writer.end();
  });

  it('makes no page readable behind one that could not be stored, and tells why', async () => {
    const writing = new Writing();
    const reading = writing.read(100);
    await until(() => writing.store.puts.length === 3);
    writing.store.finish(0);
    writing.store.finish(2);
    writing.store.puts.find(({ page }) => page === 1)?.reject(new Error('the disk is full'));
    await expect(reading).rejects.toThrow('the disk is full');
    await aWhile();
    expect(writing.client.asked).toEqual(['page 0']);
    await expect(writing.writer.seal()).rejects.toThrow('the disk is full');
    expect(writing.client.asked).not.toContain('seal');
    await writing.writer.end();
  });

  it('has made readable what was under way when it ends, and nothing afterwards', async () => {
    const writing = new Writing();
    const reading = writing.read(18);
    await until(() => writing.store.puts.length === 3);
    let hasEnded = false;
    const ending = writing.writer.end().then(() => (hasEnded = true));
    for (const page of [2, 1]) writing.store.finish(page);
    await aWhile();
    expect(hasEnded).toBe(false);
    writing.store.finish(0);
    await ending;
    expect(writing.client.pages.map(({ page }) => page.number)).toEqual([0, 1, 2]);
    await reading;
  });

  it('ends when its run is stopped, whatever the store does, and makes nothing readable any more', async () => {
    const writing = new Writing();
    const reading = writing.run.within(writing.read(100));
    await until(() => writing.store.puts.length === 3);
    const { promise: committed, resolve: commit } = Promise.withResolvers<void>();
    writing.client.onPage = () => committed;
    writing.store.finish(0);
    await until(() => writing.client.asked.length === 1);
    writing.run.stop('canceled');
    await expect(reading).rejects.toThrow('canceled');
    let hasEnded = false;
    const ending = writing.writer.end().then(() => (hasEnded = true));
    await aWhile();
    // What was asked before may still be done; only the store is not waited for.
    expect(hasEnded).toBe(false);
    commit();
    await ending;
    for (const page of [1, 2]) writing.store.finish(page);
    await aWhile();
    expect(writing.client.asked).toEqual(['page 0']);
  });
});
