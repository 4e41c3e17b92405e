import type { Column, StoredPage } from '#libs/contracts';
import { encodeBatches, inlineBytesMax, type PageStore, type RowBatch } from '#libs/result-store';
import { RunStoppedError, type HeldRun } from './held-run.js';
import type { RunClient } from './run.client.js';

/**
 * A page is written when it has as much text as this, or when its first row has waited as long. The first is small, as
 * somebody waits for it; it is also about what packs into the bytes that may go inline. Each is twice the one before, so that
 * a large result has few.
 */
const firstPageBytes = 256 * 1024;
const pageBytesMax = 1024 * 1024;
const firstFlushAfterMs = 100;
const flushAfterMsMax = 200;

/** Pages that are packed, stored or made readable at a time; whoever adds rows waits for the oldest. */
const pagesUnderWayMax = 3;

/**
 * Puts the rows of one run into pages, stores them and makes them readable in their order, within the run's limits. Several are
 * under way at a time, so that the source is read while the store takes its time; more are never in memory, as whoever adds
 * rows awaits keepUp.
 */
export class PageWriter {
  private batches: RowBatch[] = [];
  private batchesBytes = 0;
  private rowCount = 0;
  private byteCount = 0;
  /** Of rows that belong to pages already. */
  private pagedRows = 0;
  private pageCount = 0;
  private isTruncated = false;
  private timer: NodeJS.Timeout | undefined;
  /** Each resolves when its page, and with it all before, can be read; the oldest first. */
  private readonly underWay = new Set<Promise<void>>();
  /** That of the last page, also when it is no longer under way: behind one that has failed there is no other. */
  private last: Promise<void> = Promise.resolve();
  /** What the results service is asked at the moment. */
  private asking: Promise<unknown> = Promise.resolve();
  private failure: Error | undefined;

  constructor(
    private readonly run: HeldRun,
    private readonly columns: readonly Column[],
    private readonly store: PageStore,
    private readonly client: RunClient,
  ) {}

  get totals(): { rows: number; bytes: number } {
    return { rows: this.rowCount, bytes: this.byteCount };
  }

  /** False, and the result is marked as cut, where some of the rows lie beyond a limit. */
  add(batch: RowBatch): boolean {
    const { rowsMax, bytesMax } = this.run.plan;
    const taken = batch.within(rowsMax - this.rowCount, bytesMax - this.byteCount);
    if (taken.rowCount > 0) this.take(taken);
    if (taken.rowCount === batch.rowCount) return true;
    this.isTruncated = true;
    return false;
  }

  /** Resolves when more rows may be added. */
  async keepUp(): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    if (this.batchesBytes >= this.pageBytes) this.flush();
    while (this.underWay.size >= pagesUnderWayMax) await Promise.race(this.underWay);
  }

  /** Writes what is left and ends the result; few rows go inline, in the one message that ends it. */
  async seal(): Promise<void> {
    clearTimeout(this.timer);
    if (this.failure !== undefined) throw this.failure;
    const inline = this.pageCount === 0 ? await this.sealedInline() : undefined;
    const isInline = inline !== undefined && inline.byteLength <= inlineBytesMax;
    if (!isInline) this.flush();
    await this.run.within(this.last);
    const sealing = this.client.seal(this.run.plan, {
      columns: [...this.columns],
      rowCount: this.rowCount,
      byteCount: this.byteCount,
      truncated: this.isTruncated,
      pageCount: this.pageCount,
      ...(isInline ? { inline } : {}),
    });
    if (!(await this.asked(sealing))) this.lose();
  }

  private async sealedInline(): Promise<Uint8Array> {
    return this.store.sealInline(this.run.plan, await encodeBatches(this.batches));
  }

  /**
   * Resolves when no row can be added any more, so that none comes behind the end of the run. What is under way is
   * waited for, but for what a run that was stopped still stores: that is never made readable.
   */
  async end(): Promise<void> {
    clearTimeout(this.timer);
    await this.run.within(Promise.allSettled(this.underWay)).catch(() => undefined);
    await this.asking;
  }

  private get pageBytes(): number {
    return Math.min(firstPageBytes * 2 ** this.pageCount, pageBytesMax);
  }

  private take(batch: RowBatch): void {
    if (this.batches.length === 0) this.flushLater();
    this.batches.push(batch);
    this.batchesBytes += batch.text.length;
    this.rowCount += batch.rowCount;
    this.byteCount += batch.rowBytes;
    this.run.rows = this.rowCount;
    this.run.bytes = this.byteCount;
  }

  private flushLater(): void {
    const afterMs = this.pageCount === 0 ? firstFlushAfterMs : flushAfterMsMax;
    this.timer = setTimeout(() => {
      if (this.underWay.size < pagesUnderWayMax) this.flush();
      else this.flushLater();
    }, afterMs);
  }

  /** Begins to write what there is as one page. */
  private flush(): void {
    clearTimeout(this.timer);
    if (this.batches.length === 0 || this.failure !== undefined) return;
    const { batches } = this;
    const page = { number: this.pageCount, firstRow: this.pagedRows, rowCount: this.rowCount - this.pagedRows };
    this.batches = [];
    this.batchesBytes = 0;
    this.pagedRows = this.rowCount;
    this.pageCount += 1;
    const written = this.write(encodeBatches(batches), page, this.last);
    this.last = written;
    this.underWay.add(written);
    written
      // Whoever adds or seals next is told.
      .catch((error: Error) => (this.failure ??= error))
      .finally(() => this.underWay.delete(written));
  }

  /** Packed and stored beside others, made readable behind the one before; a failure of an earlier page is that of all later ones. */
  private async write(encoding: Promise<Uint8Array>, page: PageRows, before: Promise<void>): Promise<void> {
    const { plan } = this.run;
    const encoded = await encoding;
    this.run.assertWanted();
    const place = { workspaceId: plan.workspaceId, runId: plan.runId, fence: plan.fence, page: page.number };
    const storing = this.store.put(place, encoded);
    const [{ byteCount, checksum }] = await Promise.all([storing, before]);
    this.run.assertWanted();
    const stored = { ...page, byteCount, checksum };
    const committing = this.client.commitPage(plan, stored, page.number === 0 ? [...this.columns] : []);
    if (!(await this.asked(committing))) this.lose();
    this.run.pagesCommitted = page.number + 1;
  }

  private asked<T>(answer: Promise<T>): Promise<T> {
    this.asking = answer.catch(() => undefined);
    return answer;
  }

  private lose(): never {
    this.run.stop('lost');
    throw new RunStoppedError('lost');
  }
}

type PageRows = Pick<StoredPage, 'number' | 'firstRow' | 'rowCount'>;
