import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { ParquetWriter } from 'hyparquet-writer';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Column } from '#libs/contracts';
import { decodePage, encodePage } from '#libs/result-store';
import { ownPage } from '../results/page-loan.js';
import { parquetFile } from './parquet-file.js';
import { ResultPages } from './result-pages.js';

const columns: readonly Column[] = [
  { name: 'number', type: 'BIGINT', nullable: true },
  { name: 'text', type: 'TEXT', nullable: true },
];
/** Two of these are more than the text of a row group. */
const longText = 'x'.repeat(600 * 1024);

/** A result of pages of one row, each of which is a row group. */
function resultOf(rowCount: number): ResultPages {
  const pages = Array.from({ length: rowCount }, (_, firstRow) => ({
    firstRow,
    rowCount: 1,
    open: async () => ownPage(await decodePage(await encodePage([JSON.stringify([String(firstRow), longText])]))),
  }));
  return new ResultPages(columns, null, pages, undefined, rowCount * longText.length);
}

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-parquet-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** What a reader that knows nothing of how it was written finds in a file. */
async function read(bytes: Uint8Array, query: string): Promise<unknown> {
  const file = join(folder, 'result.parquet');
  await writeFile(file, bytes);
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  try {
    return (await connection.runAndReadAll(query, { file })).getRowsJson();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

describe('a Parquet file', () => {
  it.each([0, 1, 20])('of %i row groups has all rows, and least and largest numbers of each', async (rowCount) => {
    const pieces: Uint8Array[] = [];
    for await (const piece of parquetFile(resultOf(rowCount))) pieces.push(piece);
    const file = Buffer.concat(pieces);
    const rows = Array.from({ length: rowCount }, (_, index) => [String(index), String(longText.length)]);
    expect(await read(file, 'select number, len("text") from read_parquet($file)')).toEqual(rows);
    const groups = rows.map(([number]) => [number, number]);
    const bounds = `select stats_min_value, stats_max_value from parquet_metadata($file)
      where path_in_schema = 'number' order by row_group_id`;
    expect(await read(file, bounds)).toEqual(groups);
  });

  it('leaves nothing of a row group to be written when all of them are: its end is as short for any number', async () => {
    const write = vi.spyOn(ParquetWriter.prototype, 'write');
    const finish = vi.spyOn(ParquetWriter.prototype, 'finish');
    onTestFinished(() => void vi.restoreAllMocks());
    const held: number[] = [];
    for await (const _piece of parquetFile(resultOf(5))) {
      // Whose method it is.
      const file = write.mock.contexts.at(-1) as ParquetWriter;
      held.push(file.row_groups.length);
    }
    expect(held).toEqual([0, 0, 0, 0, 0, 0]);
    expect(finish).not.toHaveBeenCalled();
  });
});
