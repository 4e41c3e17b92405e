import type { Column } from '#libs/contracts';
import { encodePage, inlineBytesMax, type PageStore } from '#libs/result-store';
import { RunStoppedError, type HeldRun } from './held-run.js';
import type { RunClient } from './run.client.js';

/** A page is written when it has as much as this, or when its first row has waited as long. */
const pageTextBytes = 1024 * 1024;
const pageRows = 10_000;
const flushAfterMs = 200;

/**
 * Puts the rows of one run into pages, stores them and makes them readable, within the run's limits. A page that is
 * being written holds back the next: whoever adds rows awaits keepUp, so no more than two pages are ever in memory.
 */
export class PageWriter {
  private rows: string[] = [];
  private rowsBytes = 0;
  private rowCount = 0;
  private byteCount = 0;
  private pageCount = 0;
  private isTruncated = false;
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> = Promise.resolve();
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

  /** False, and the result is marked as cut, where the row lies beyond a limit. */
  add(row: string): boolean {
    const bytes = Buffer.byteLength(row);
    const { rowsMax, bytesMax } = this.run.plan;
    if (this.rowCount >= rowsMax || this.byteCount + bytes > bytesMax) {
      this.isTruncated = true;
      return false;
    }
    if (this.rows.length === 0) this.timer = setTimeout(() => this.flushLater(), flushAfterMs);
    this.rows.push(row);
    this.rowsBytes += bytes;
    this.rowCount += 1;
    this.byteCount += bytes;
    this.run.rows = this.rowCount;
    this.run.bytes = this.byteCount;
    return true;
  }

  get isPageFull(): boolean {
    return this.rowsBytes >= pageTextBytes || this.rows.length >= pageRows;
  }

  /** Resolves when more rows may be added. */
  async keepUp(): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    if (this.isPageFull) await this.flush();
  }

  /** Writes what is left and ends the result; few rows go inline, in the one message that ends it. */
  async seal(): Promise<void> {
    clearTimeout(this.timer);
    await this.writing;
    if (this.failure !== undefined) throw this.failure;
    const inline = this.pageCount === 0 ? await this.sealedInline() : undefined;
    const isInline = inline !== undefined && inline.byteLength <= inlineBytesMax;
    if (!isInline && this.rows.length > 0) await this.flush();
    const accepted = await this.client.seal(this.run.plan, {
      columns: [...this.columns],
      rowCount: this.rowCount,
      byteCount: this.byteCount,
      truncated: this.isTruncated,
      pageCount: this.pageCount,
      ...(isInline ? { inline } : {}),
    });
    if (!accepted) this.lose();
  }

  private async sealedInline(): Promise<Uint8Array> {
    return this.store.sealInline(this.run.plan, await encodePage(this.rows));
  }

  /** Nothing more will be written. */
  dispose(): void {
    clearTimeout(this.timer);
  }

  private flushLater(): void {
    this.flush().catch((error: Error) => (this.failure ??= error));
  }

  private async flush(): Promise<void> {
    clearTimeout(this.timer);
    const { rows } = this;
    if (rows.length === 0) return this.writing;
    const firstRow = this.rowCount - rows.length;
    this.rows = [];
    this.rowsBytes = 0;
    // In order, one at a time; a failure of an earlier page is that of all later ones.
    this.writing = this.writing.then(() => this.write(rows, firstRow));
    // Whoever adds or seals next is told.
    this.writing.catch((error: Error) => (this.failure ??= error));
    return this.writing;
  }

  private async write(rows: readonly string[], firstRow: number): Promise<void> {
    const { plan } = this.run;
    this.run.assertWanted();
    const number = this.pageCount;
    const encoded = await encodePage(rows);
    const place = { workspaceId: plan.workspaceId, runId: plan.runId, fence: plan.fence, page: number };
    const { byteCount, checksum } = await this.store.put(place, encoded);
    const page = { number, firstRow, rowCount: rows.length, byteCount, checksum };
    const accepted = await this.client.commitPage(plan, page, number === 0 ? [...this.columns] : []);
    if (!accepted) this.lose();
    this.pageCount += 1;
    this.run.pagesCommitted = this.pageCount;
  }

  private lose(): never {
    this.run.stop('lost');
    throw new RunStoppedError('lost');
  }
}
