import { AppError } from '#libs/kernel';
import type { DecodedPage } from '#libs/result-store';
import type { PageLoan } from '../results/page-loan.js';
import type { ResultPages } from './result-pages.js';

/** Text of a row group: as values it takes more than ten times that, so the larger is for files of many columns alone. */
const groupBytesLeast = 1024 * 1024;
const groupBytesMost = 4 * groupBytesLeast;
/** What each page beside its text takes is not nothing. */
const groupPagesMax = 1_024;
/** The footer says something of each column of each row group: of more than so many, the groups are larger. */
const columnChunksGood = 25_000;
/** Some 100 bytes of memory each until the file ends, more where columns have long names, and whoever reads it holds them all, too. */
const columnChunksMax = 100_000;

/**
 * How much text of the result makes a row group, so that the footer stays small.
 * @throws AppError result.too_large where none does
 */
export function groupBytesFor({ pages, columns, byteCount }: ResultPages): number {
  const groupsMost = (groupBytes: number): number =>
    // Of two groups that follow each other, both are full together.
    Math.min(pages.length, 1 + (2 * byteCount) / groupBytes + pages.length / groupPagesMax);
  for (let groupBytes = groupBytesLeast; groupBytes <= groupBytesMost; groupBytes *= 2) {
    if (groupsMost(groupBytes) * columns.length <= columnChunksGood) return groupBytes;
  }
  if (groupsMost(groupBytesMost) * columns.length <= columnChunksMax) return groupBytesMost;
  const columnsMax = Math.max(1, Math.floor(columnChunksMax / groupsMost(groupBytesMost)));
  throw new AppError(
    'result.too_large',
    `As Parquet this result can have at most ${columnsMax} columns: choose some, or another format.`,
  );
}

/** The pages that make a row group each, in their order, given back when the next ones are asked for. */
export async function* groupsOf(
  pages: ResultPages,
  groupBytes: number,
): AsyncGenerator<readonly DecodedPage[], void, undefined> {
  const loans: PageLoan[] = [];
  const giveBack = (count: number): void => {
    for (const loan of loans.splice(0, count)) loan[Symbol.dispose]();
  };
  let bytes = 0;
  try {
    for (let number = 0; number < pages.pages.length; number++) {
      const { page } = await lend(pages, number, loans);
      const before = loans.length - 1;
      if (before > 0 && (bytes + page.byteCount > groupBytes || before === groupPagesMax)) {
        yield loans.slice(0, before).map((loan) => loan.page);
        giveBack(before);
        bytes = 0;
      }
      bytes += page.byteCount;
    }
    if (loans.length > 0) yield loans.map(({ page }) => page);
  } finally {
    giveBack(loans.length);
  }
}

async function lend(pages: ResultPages, number: number, loans: PageLoan[]): Promise<PageLoan> {
  const loan = await pages.open(number);
  loans.push(loan);
  return loan;
}
