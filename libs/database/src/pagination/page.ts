import type { PageArgs, PageInfo } from '#libs/contracts';
import { AppError, type JsonObject } from '#libs/kernel';
import { decodeCursor, encodeCursor, type CursorKey, type CursorScope, type CursorShape } from './page-cursor.js';

const firstMax = 100;

/** A page that is asked for. `Shape` names the kinds of the columns that the list is ordered by. */
export interface ParsedPage<Shape extends CursorShape = CursorShape> {
  readonly first: number;
  /** How many rows to read: one more than is shown tells if there is a next page. */
  readonly limit: number;
  /** The order's values of the row that the page comes after; undefined for the first page. */
  readonly after: CursorKey<Shape> | undefined;
  readonly scope: CursorScope;
}

/** One page as every list request answers it. */
export interface Page<Row> {
  readonly rows: Row[];
  /** One for each row. */
  readonly cursors: string[];
  readonly pageInfo: PageInfo;
}

/**
 * Checks what a caller asks of a list. A cursor is good only for the list and the filters that gave it; among the
 * filters should be the workspace. Without a shape the list is ordered by one text, such as an id.
 * @throws AppError `input.invalid` at `first`, `input.cursor_invalid` at `after`
 */
export function parsePage<const Shape extends CursorShape = readonly ['string']>(
  args: PageArgs | undefined,
  list: string,
  filters: JsonObject,
  shape?: Shape,
): ParsedPage<Shape> {
  const first = args?.first ?? 0;
  if (!Number.isInteger(first) || first < 1 || first > firstMax) {
    throw new AppError('input.invalid', `first must be from 1 to ${firstMax}.`, { path: ['first'] });
  }
  const scope = { list, filters };
  // The default of Shape and the default here are the same.
  const kinds = shape ?? (['string'] as const as unknown as Shape);
  const after = args?.after === undefined ? undefined : decodeCursor(scope, args.after, kinds);
  return { first, limit: first + 1, after, scope };
}

/**
 * Makes the answer out of up to `limit` rows in the list's order; `keyOf` gives the order's values of a row. `lookedTo` is the place of
 * the last row that was looked at, where there are more behind it that were not: the next page goes on there.
 */
export function toPage<Row, Shape extends CursorShape>(
  rows: readonly Row[],
  page: ParsedPage<Shape>,
  keyOf: (row: Row) => CursorKey<Shape>,
  lookedTo?: CursorKey<Shape>,
): Page<Row> {
  const shown = rows.slice(0, page.first);
  const cursors = shown.map((row) => encodeCursor(page.scope, keyOf(row)));
  const endCursor = lookedTo === undefined ? cursors.at(-1) : encodeCursor(page.scope, lookedTo);
  return {
    rows: shown,
    cursors,
    pageInfo: {
      hasNextPage: rows.length > page.first || lookedTo !== undefined,
      hasPreviousPage: page.after !== undefined,
      ...(cursors.length === 0 ? {} : { startCursor: cursors[0] }),
      ...(endCursor === undefined ? {} : { endCursor }),
    },
  };
}
