import { describe, expect, it } from 'vitest';
import { decodePage, encodePage, type DecodedPage } from '#libs/result-store';
import { ResultPages, type ResultPage } from './result-pages.js';
import { groupBytesFor, groupsOf } from './row-groups.js';

const mebibyte = 1024 * 1024;
const page: ResultPage = { firstRow: 0, rowCount: 1, open: () => Promise.reject(new Error('not asked')) };

/** A result of so many pages that are never opened. */
function resultOf(pageCount: number, columnCount: number, byteCount: number): ResultPages {
  const columns = Array.from({ length: columnCount }, (_, index) => ({
    name: `c${index}`,
    type: 'INTEGER' as const,
    nullable: true,
  }));
  return new ResultPages(
    columns,
    null,
    Array.from({ length: pageCount }, () => page),
    undefined,
    byteCount,
  );
}

describe('the text of a row group', () => {
  it.each([
    ['a small result', 1, 1_600, 1_000],
    ['a large one of some columns', 1_024, 20, 1_024 * mebibyte],
    ['one that came in small pages', 18_000, 100, 10 * mebibyte],
  ])('is the least for %s', (_what, pages, columns, bytes) => {
    expect(groupBytesFor(resultOf(pages, columns, bytes))).toBe(mebibyte);
  });

  it('grows with the columns, and no footer is larger than may be', () => {
    expect(groupBytesFor(resultOf(1_024, 24, 1_024 * mebibyte))).toBe(mebibyte);
    expect(groupBytesFor(resultOf(1_024, 40, 1_024 * mebibyte))).toBe(4 * mebibyte);
  });

  it('is refused for a result with more columns than a footer can name, which says how many can be chosen', () => {
    const message = 'As Parquet this result can have at most 194 columns: choose some, or another format.';
    expect(() => groupBytesFor(resultOf(1_024, 1_600, 1_024 * mebibyte))).toThrowError(message);
    expect(groupBytesFor(resultOf(1_024, 194, 1_024 * mebibyte))).toBe(4 * mebibyte);
  });
});

describe('the pages of a row group', () => {
  it('are all of the result in their order, as many as fit, and are given back before the next group is told', async () => {
    const given = new Set<DecodedPage>();
    let open = 0;
    const pages = await Promise.all(
      [400, 400, 400, 2_000, 100, 100].map(async (size, firstRow): Promise<ResultPage> => {
        const encoded = await encodePage([JSON.stringify(['x'.repeat(size)])]);
        return {
          firstRow,
          rowCount: 1,
          open: async () => {
            const decoded = await decodePage(encoded);
            open += 1;
            return {
              page: decoded,
              [Symbol.dispose]: () => {
                given.add(decoded);
                open -= 1;
              },
            };
          },
        };
      }),
    );
    const result = new ResultPages([{ name: 't', type: 'TEXT', nullable: true }], null, pages);
    const sizes: number[][] = [];
    for await (const group of groupsOf(result, 1_000)) {
      expect(group.filter((each) => given.has(each))).toEqual([]);
      // One more is open: whether it fits has just been seen.
      expect(open).toBeLessThanOrEqual(group.length + 1);
      sizes.push(group.map((each) => each.row(0).length - 4));
    }
    expect(sizes).toEqual([[400, 400], [400], [2_000], [100, 100]]);
    expect(open).toBe(0);
    for await (const _group of groupsOf(result, 1_000)) break;
    expect(open).toBe(0);
  });
});
