import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { decodePage, encodePage } from '#libs/result-store';
import { ownPage } from '../results/page-loan.js';
import { parquetFile } from './parquet-file.js';
import { ResultPages, type ResultPage } from './result-pages.js';
import { surveyTypes } from './survey-types.js';
import { writeTypedPage } from './typed-page.js';

const columns = [
  { name: 'n', type: 'INTEGER', nullable: true },
  { name: 't', type: 'TEXT', nullable: true },
] as const;

function pagesOf(rows: readonly unknown[][], signal?: AbortSignal, open?: ResultPage['open']): ResultPages {
  const pages = rows.map((row, firstRow) => ({
    firstRow,
    rowCount: 1,
    open: open ?? (async () => ownPage(await decodePage(await encodePage([JSON.stringify(row)])))),
  }));
  return new ResultPages(columns, null, pages, signal);
}

describe('pages of typed files', () => {
  it('are values one at a time, however many downloads are under way', async () => {
    const pages = pagesOf([[1, 'a']]);
    const types = await surveyTypes(pages);
    let [underWay, most] = [0, 0];
    const write = async (): Promise<void> => {
      most = Math.max(most, ++underWay);
      await new Promise(setImmediate);
      underWay -= 1;
    };
    await Promise.all([1, 2, 3].map(() => writeTypedPage(pages, types, 0, write)));
    expect(most).toBe(1);
  });

  it('are not held up by a store that does not answer another, nor by a page that cannot be written', async () => {
    const stuck = pagesOf([[1, 'a']], undefined, () => new Promise(() => undefined));
    void writeTypedPage(stuck, [], 0, () => undefined);
    const pages = pagesOf([[1, 'a']]);
    const fail = (): never => {
      throw new Error('no');
    };
    await expect(writeTypedPage(pages, [], 0, fail)).rejects.toThrow('no');
    expect(await writeTypedPage(pages, [], 0, ([numbers]) => numbers)).toEqual(['1']);
  });

  it('end with the signal, also while the columns are surveyed', async () => {
    const ending = new AbortController();
    ending.abort(new Error('the client has left'));
    await expect(buffer(parquetFile(pagesOf([[1, 'a']], ending.signal)))).rejects.toThrow('the client has left');
  });
});

describe('the footer of a Parquet file', () => {
  it('has no texts of the result in it, which would be held until the file ends', async () => {
    const rows = Array.from({ length: 20 }, (_, index) => [index, `${index}`.repeat(10_000)]);
    const bytes = await buffer(parquetFile(pagesOf(rows)));
    const end = bytes.length - 8;
    const footer = bytes.subarray(end - bytes.readUInt32LE(end), end);
    expect(footer.includes('sluice')).toBe(true);
    expect(rows.filter(([, text]) => footer.includes(String(text).slice(0, 20)))).toEqual([]);
  });
});
