import type { Manifest, StoredPage } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import type { DecodedPage } from '#libs/result-store';
import { columnIndexes } from './column-choice.js';
import type { LocatedPages } from './page-tables.store.js';
import { RawRows } from './raw-rows.js';

/** How rows are reached: the page table and the pages. */
export interface PageAccess {
  /** The pages that hold rows from `fromRow` on, and the manifest as it is now. */
  locate(fromRow: number, rowCount: number): Promise<LocatedPages>;
  open(manifest: Manifest, page: StoredPage): Promise<DecodedPage>;
  openInline(manifest: Manifest, inline: Uint8Array): Promise<DecodedPage>;
}

export interface RowsRead {
  readonly rows: readonly RawRows[];
  readonly count: number;
}

interface ReadBounds {
  readonly rowsMax: number;
  readonly bytesMax: number;
  /** Only these columns, in this order; null for all. */
  readonly columns: readonly string[] | null;
}

/** How many rows ahead the page table is asked for; it answers with 64 pages at most anyway. */
const lookAheadRows = 1_000_000;

/**
 * The rows of one run for one reader, who goes through them from anywhere. It remembers where the next pages lie, and
 * asks the page table again only when it comes to their end.
 */
export class RowSource {
  private pages: readonly StoredPage[] = [];

  constructor(
    private readonly access: PageAccess,
    private latest?: Manifest,
    readonly readsAhead = false,
  ) {}

  /** As of the last look at the page table. */
  get manifest(): Manifest | undefined {
    return this.latest;
  }

  /**
   * Rows from `from` on, as many as are there and within the bounds; at least one where there is one.
   * @throws AppError result.expired where they are gone, result.corrupt where a row that was counted lies in no page,
   *   input.invalid for columns that the result does not have
   */
  async read(from: number, { rowsMax, bytesMax, columns }: ReadBounds): Promise<RowsRead> {
    const rows: RawRows[] = [];
    let count = 0;
    let bytesLeft = bytesMax;
    while (count < rowsMax && bytesLeft > 0) {
      const place = await this.pageAt(from + count, rowsMax - count);
      if (!place) break;
      const { page, first } = place;
      const fit = page.countWithin(first, first + rowsMax - count, bytesLeft);
      // A row that does not fit beside those already read is the first of the next answer.
      if (count > 0 && fit.bytes > bytesLeft) break;
      rows.push(new RawRows(this.rowsOf(page, first, first + fit.count, columns)));
      count += fit.count;
      bytesLeft -= fit.bytes;
    }
    return { rows, count };
  }

  /** Looks at the page table, so that `manifest` is as of now. */
  async refresh(fromRow: number, rowCount = 1): Promise<Manifest | undefined> {
    const { manifest, pages } = await this.access.locate(fromRow, this.readsAhead ? lookAheadRows : rowCount);
    this.latest = manifest;
    this.pages = pages;
    return manifest;
  }

  private async pageAt(row: number, rowCount: number): Promise<{ page: DecodedPage; first: number } | undefined> {
    return (await this.knownPageAt(row)) ?? (await this.lookedUpPageAt(row, rowCount));
  }

  private async lookedUpPageAt(row: number, rowCount: number) {
    const isAtEnd = this.latest?.state === 'COMPLETE' && row >= this.latest.rowCount;
    if (isAtEnd) return undefined;
    const manifest = await this.refresh(row, rowCount);
    const place = await this.knownPageAt(row);
    if (!place && manifest && row < manifest.rowCount) throw corrupt(`no page holds row ${row}`);
    return place;
  }

  private async knownPageAt(row: number): Promise<{ page: DecodedPage; first: number } | undefined> {
    const manifest = this.latest;
    if (!manifest) return undefined;
    if (manifest.state === 'EXPIRED')
      throw new AppError('result.expired', 'The result has expired; run the query again.');
    if (manifest.inline) {
      const page = await this.access.openInline(manifest, manifest.inline);
      return row < page.rowCount ? { page, first: row } : undefined;
    }
    const stored = this.pages.find(({ firstRow, rowCount }) => firstRow <= row && row < firstRow + rowCount);
    if (!stored) return undefined;
    const page = await this.access.open(manifest, stored);
    // One row fewer would be read for ever, one more would be told twice.
    if (page.rowCount !== stored.rowCount) throw corrupt(`page ${stored.number} has ${page.rowCount} rows`);
    return { page, first: row - stored.firstRow };
  }

  private rowsOf(page: DecodedPage, from: number, to: number, columns: readonly string[] | null): Buffer {
    if (columns === null) return page.bytes(from, to);
    return page.pick(from, to, columnIndexes(this.latest?.columns ?? [], columns));
  }
}

/** A gap looks like the end to whoever reads; it is told and not passed over. */
function corrupt(internalMessage: string): AppError {
  return new AppError('result.corrupt', 'A part of the result cannot be read.', { internalMessage });
}
