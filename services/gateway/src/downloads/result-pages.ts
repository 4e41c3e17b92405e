import { setImmediate } from 'node:timers/promises';
import type { Column } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { splitArray, type DecodedPage } from '#libs/result-store';
import type { PageLoan } from '../results/page-loan.js';
import { RowReader } from './row-reader.js';

/** One row: the JSON texts of the chosen columns' values. */
export type RowMembers = readonly string[];

/** One page of a result that will not change any more. */
export interface ResultPage {
  readonly firstRow: number;
  readonly rowCount: number;
  open(): Promise<PageLoan>;
}

/** So much text is written in one piece: some milliseconds, and whoever else waits for the event loop comes in between. */
const chunkBytes = 64 * 1024;

/** The rows of a whole result, with the chosen columns, page by page; never more than two pages in memory. */
export class ResultPages {
  readonly columns: readonly Column[];
  readonly rowCount: number;

  constructor(
    private readonly allColumns: readonly Column[],
    private readonly indexes: readonly number[] | null,
    readonly pages: readonly ResultPage[],
    /** Ends every reading, also one for which nobody waits yet. */
    private readonly signal?: AbortSignal,
    /** Of the texts of all rows with all columns, at most. */
    readonly byteCount = Infinity,
  ) {
    this.columns = indexes === null ? allColumns : indexes.map((index) => present(allColumns[index]));
    this.rowCount = pages.reduce((sum, { rowCount }) => sum + rowCount, 0);
  }

  open(number: number): Promise<PageLoan> {
    return present(this.pages[number]).open();
  }

  /** The rows of one page, some at a time. */
  async *chunksOf(number: number): AsyncGenerator<RowMembers[], void, undefined> {
    using loan = await this.open(number);
    yield* this.chunksIn(loan.page);
  }

  async *chunksIn(page: DecodedPage): AsyncGenerator<RowMembers[], void, undefined> {
    for await (const { from, to } of this.spansIn(page)) {
      const rows: RowMembers[] = [];
      for (let index = from; index < to; index++) rows.push(this.membersOf(page.row(index)));
      yield rows;
    }
  }

  /** From which row up to which to read a page at a time. */
  async *spansIn(page: DecodedPage): AsyncGenerator<{ from: number; to: number }, void, undefined> {
    for (let from = 0; from < page.rowCount;) {
      this.signal?.throwIfAborted();
      const to = from + page.countWithin(from, page.rowCount, chunkBytes).count;
      yield { from, to };
      from = to;
      await setImmediate();
    }
  }

  /** Finds the values of the chosen columns in any row. */
  rowReader(): RowReader {
    return new RowReader(this.allColumns.length, this.indexes);
  }

  /** All rows, some at a time. */
  async *chunks(): AsyncGenerator<RowMembers[], void, undefined> {
    for (let number = 0; number < this.pages.length; number++) yield* this.chunksOf(number);
  }

  private membersOf(text: string): RowMembers {
    const members = splitArray(text);
    if (members.length !== this.allColumns.length) {
      throw new AppError('result.corrupt', 'A part of the result cannot be read.', {
        internalMessage: `a row has ${members.length} values for ${this.allColumns.length} columns`,
      });
    }
    return this.indexes === null ? members : this.indexes.map((index) => present(members[index]));
  }
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new AppError('internal', 'Something went wrong on our side.');
  return value;
}
