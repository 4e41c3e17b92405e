import type { DecodedPage } from '#libs/result-store';
import { OneAtATime } from './one-at-a-time.js';
import type { PhysicalType } from './physical-type.js';
import { readColumns, type ColumnValues } from './physical-values.js';
import type { ResultPages } from './result-pages.js';

/**
 * A page as values takes more than ten times the memory of its text. So of all downloads one page at a time is made into values and
 * written, which costs no time, as one thread does it all; and nothing of it is left when a client takes the bytes.
 */
const turns = new OneAtATime();

/** Writes the values of one page. */
export async function writeTypedPage<T>(
  pages: ResultPages,
  types: readonly PhysicalType[],
  number: number,
  write: (columns: ColumnValues) => T | Promise<T>,
): Promise<T> {
  // Read outside of the turn: a slow store holds up its own reader alone.
  using loan = await pages.open(number);
  return await writeTyped(pages, types, [loan.page], write);
}

/** Writes the values of pages that are small together. */
export function writeTyped<T>(
  pages: ResultPages,
  types: readonly PhysicalType[],
  opened: readonly DecodedPage[],
  write: (columns: ColumnValues) => T | Promise<T>,
): Promise<T> {
  return turns.run(async () => write(await readColumns(pages, types, opened)));
}
