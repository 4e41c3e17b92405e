import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Manifest, ManifestState, StoredPage } from '#libs/contracts';
import { decodePage, encodePage, type DecodedPage } from '#libs/result-store';
import { spliceRowBytes, stringifyWithRows } from './raw-rows.js';
import { RowSource } from './row-source.js';

/** A run's rows in pages of the given sizes, as the page table and the store have them. */
class StoredResult {
  located = 0;
  private readonly decoded = new Map<number, DecodedPage>();
  private readonly pages: StoredPage[] = [];
  state: ManifestState = 'COMPLETE';

  private constructor(
    private readonly sizes: readonly number[],
    private readonly inline: Uint8Array | undefined,
  ) {}

  static async of(sizes: readonly number[], isInline = false): Promise<StoredResult> {
    const all = Array.from({ length: sum(sizes) }, (_, index) => rowText(index));
    const result = new StoredResult(sizes, isInline ? await encodePage(all) : undefined);
    let firstRow = 0;
    for (const [number, rowCount] of sizes.entries()) {
      result.decoded.set(number, await decodePage(await encodePage(all.slice(firstRow, firstRow + rowCount))));
      result.pages.push({ number, firstRow, rowCount, byteCount: 1, checksum: new Uint8Array() });
      firstRow += rowCount;
    }
    return result;
  }

  get manifest(): Manifest {
    return {
      runId: 'run_1',
      workspaceId: 'wsp_1',
      fence: 1,
      state: this.state,
      columns: [
        { name: 'n', type: 'INTEGER', nullable: false },
        { name: 'text', type: 'TEXT', nullable: true },
      ],
      rowCount: sum(this.sizes),
      byteCount: 1,
      truncated: false,
      inline: this.inline,
    };
  }

  source(): RowSource {
    return new RowSource({
      locate: async (fromRow, rowCount) => {
        this.located += 1;
        const wanted = this.pages.filter(
          (page) => page.firstRow + page.rowCount > fromRow && page.firstRow < fromRow + rowCount,
        );
        return { manifest: this.manifest, pages: this.inline ? [] : wanted.slice(0, 4) };
      },
      open: async (_manifest, page) => {
        const decoded = this.decoded.get(page.number);
        if (!decoded) throw new Error(`there is no page ${page.number}`);
        return decoded;
      },
      openInline: (_manifest, inline) => decodePage(inline),
    });
  }
}

const sum = (sizes: readonly number[]): number => sizes.reduce((one, other) => one + other, 0);
const rowText = (index: number): string => JSON.stringify([index, 'x'.repeat(index % 7)]);
const all = { rowsMax: 10_000, bytesMax: 1_000_000, columns: null };

function valuesOf(rows: readonly unknown[]): unknown[] {
  return JSON.parse(stringifyWithRows(rows)) as unknown[];
}

describe('the rows of a result', () => {
  it('come in order, each once, from any place, in steps of any size', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 12 }),
        fc.boolean(),
        fc.nat(20),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 120 }),
        async (sizes, isInline, start, rowsMax, bytesMax) => {
          const source = (await StoredResult.of(sizes, isInline)).source();
          const seen: unknown[] = [];
          for (let next = start; ;) {
            const { rows, count } = await source.read(next, { rowsMax, bytesMax, columns: null });
            const values = valuesOf(rows);
            expect(values).toHaveLength(count);
            if (count === 0) break;
            expect(count).toBeLessThanOrEqual(rowsMax);
            seen.push(...values);
            next += count;
          }
          const expected = Array.from({ length: Math.max(0, sum(sizes) - start) }, (_, index) =>
            rowText(start + index),
          );
          expect(seen).toEqual(expected.map((text) => JSON.parse(text) as unknown));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('keep within the bytes of an answer, but for a single row that is larger', async () => {
    const source = (await StoredResult.of([50])).source();
    const { rows } = await source.read(0, { ...all, bytesMax: 40 });
    expect(rows.map(({ text }) => text.length).reduce((one, other) => one + other, 0)).toBeLessThanOrEqual(40);
    expect((await source.read(6, { ...all, bytesMax: 1 })).count).toBe(1);
  });

  it('have only the columns that are asked for, in that order', async () => {
    const source = (await StoredResult.of([2, 2])).source();
    const { rows } = await source.read(1, { ...all, columns: ['text', 'n'] });
    expect(valuesOf(rows)).toEqual([
      ['x', 1],
      ['xx', 2],
      ['xxx', 3],
    ]);
  });

  it('are refused for a column that is not there or is named twice', async () => {
    const source = (await StoredResult.of([2])).source();
    const refusal = { code: 'input.invalid', path: ['columns', '1'] };
    await expect(source.read(0, { ...all, columns: ['n', 'm'] })).rejects.toMatchObject(refusal);
    await expect(source.read(0, { ...all, columns: ['n', 'n'] })).rejects.toMatchObject(refusal);
  });

  it('are expired as soon as the page table says so', async () => {
    const result = await StoredResult.of([2]);
    result.state = 'EXPIRED';
    await expect(result.source().read(0, all)).rejects.toMatchObject({ code: 'result.expired' });
  });

  it.each([
    ['in which a page is missing', [0, 2], 1],
    ['whose last page is missing', [0, 1], 1],
    ['with pages of more rows than the page table says', [0, 1, 2], 2],
    ['with pages of fewer rows than the page table says', [0, 1, 2], 0],
  ])('are never told short or twice: a result %s is corrupt', async (_what, numbers, rowsOfPage) => {
    const result = await StoredResult.of([1, 1, 1]);
    const source = new RowSource({
      locate: async () => ({ manifest: result.manifest, pages: numbers.map((number) => storedPage(number)) }),
      open: async () => decodePage(await encodePage(Array.from({ length: rowsOfPage }, (_, row) => rowText(row)))),
      openInline: (_manifest, inline) => decodePage(inline),
    });
    const read = async (): Promise<void> => {
      for (let row = 0; row < 3; row += 1) await source.read(row, { ...all, rowsMax: 1 });
    };
    await expect(read()).rejects.toMatchObject({ code: 'result.corrupt' });
  });

  it('are looked up once for many pages', async () => {
    const result = await StoredResult.of([1, 1, 1, 1]);
    const source = new RowSource(
      {
        locate: async () => {
          result.located += 1;
          return { manifest: result.manifest, pages: [0, 1, 2, 3].map((n) => storedPage(n)) };
        },
        open: async (_manifest, page) => decodePage(await encodePage([rowText(page.number)])),
        openInline: (_manifest, inline) => decodePage(inline),
      },
      undefined,
      true,
    );
    for (let row = 0; row < 4; row++) await source.read(row, { ...all, rowsMax: 1 });
    await source.read(4, all);
    expect(result.located).toBe(1);
  });
});

function storedPage(number: number): StoredPage {
  return { number, firstRow: number, rowCount: 1, byteCount: 1, checksum: new Uint8Array() };
}

describe('rows in an answer', () => {
  it('are put in as they are, wherever they stand, and no text can pass for them', async () => {
    const source = (await StoredResult.of([1, 3])).source();
    const { rows } = await source.read(0, all);
    const answer = { a: { rows }, b: { rows: [] }, c: '"$&:1"', d: { rows } };
    const text = stringifyWithRows(answer);
    expect(spliceRowBytes(JSON.stringify(answer)).toString()).toBe(text);
    const values = [0, 1, 2, 3].map((index) => JSON.parse(rowText(index)) as unknown);
    expect(JSON.parse(text)).toEqual({ a: { rows: values }, b: { rows: [] }, c: '"$&:1"', d: { rows: values } });
  });
});
