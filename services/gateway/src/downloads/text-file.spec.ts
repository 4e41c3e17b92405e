import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePage, encodePage } from '#libs/result-store';
import { ownPage } from '../results/page-loan.js';
import type { PartEnds } from './byte-places.store.js';
import { jsonWriter } from './json-writer.js';
import { ResultPages, type ResultPage } from './result-pages.js';
import { TextFile } from './text-file.js';

const columns = [
  { name: 'n', type: 'INTEGER', nullable: true },
  { name: 't', type: 'TEXT', nullable: true },
] as const;

/** Counts how often each page is opened. */
function pagesOf(sizes: readonly number[], opened: number[] = []): ResultPages {
  let firstRow = 0;
  const pages = sizes.map((rowCount, number): ResultPage => {
    const from = firstRow;
    firstRow += rowCount;
    const rows = Array.from({ length: rowCount }, (_, index) => JSON.stringify([from + index, 'ü'.repeat(index % 5)]));
    return {
      firstRow: from,
      rowCount,
      open: async () => {
        opened.push(number);
        return ownPage(await decodePage(await encodePage(rows)));
      },
    };
  });
  return new ResultPages(columns, null, pages);
}

function fileOf(pages: ResultPages, ends: PartEnds = []): TextFile {
  return new TextFile(pages, jsonWriter(pages.columns), ends);
}

function bytesOf(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return buffer(content);
}

const { signal } = new AbortController();

describe('a text file', () => {
  it('has from any byte on the very bytes that it had, whether its lengths are known or not', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 6 }),
        fc.nat(400),
        fc.nat(400),
        fc.boolean(),
        async (sizes, from, length, isKnown) => {
          const whole = await bytesOf(fileOf(pagesOf(sizes)).read());
          const ends: PartEnds = [];
          const counted = isKnown ? await fileOf(pagesOf(sizes), ends).length(signal) : whole.length;
          expect(counted).toBe(whole.length);
          const part = await bytesOf(fileOf(pagesOf(sizes), ends).read(from, from + length));
          expect(part).toEqual(whole.subarray(from, from + length));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('that was read to its end is resumed without opening the pages before', async () => {
    const ends: PartEnds = [];
    const whole = await bytesOf(fileOf(pagesOf([50, 50, 50]), ends).read());
    const opened: number[] = [];
    const file = fileOf(pagesOf([50, 50, 50], opened), ends);
    expect(file.knownLength).toBe(whole.length);
    const from = whole.length - 20;
    expect(await bytesOf(file.read(from))).toEqual(whole.subarray(from));
    expect(opened).toEqual([2]);
  });

  it('that is asked for its length stops when nobody waits for it any more', async () => {
    const gone = AbortSignal.abort(new Error('gone'));
    await expect(fileOf(pagesOf([5, 5])).length(gone)).rejects.toThrow('gone');
  });
});
