import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '#libs/kernel';
import { decodePage, encodeBatches, encodePage, pageTextBytesMax, RowBatch } from './index.js';

const rowTexts = fc.array(
  fc.array(fc.jsonValue(), { maxLength: 6 }).map((row) => JSON.stringify(row)),
  { maxLength: 60 },
);

async function codeOf(failing: Promise<unknown>): Promise<string> {
  const error: unknown = await failing.then(() => undefined).catch((reason: unknown) => reason);
  return codeOfError(error);
}

function codeOfError(error: unknown): string {
  return error instanceof AppError ? error.code : `not refused: ${String(error)}`;
}

describe('a page', () => {
  it('gives back every run of rows as the text that went in', async () => {
    await fc.assert(
      fc.asyncProperty(rowTexts, fc.nat(70), fc.nat(70), async (rows, from, to) => {
        const page = await decodePage(await encodePage(rows));
        expect(page.rowCount).toBe(rows.length);
        expect(page.slice(from, to)).toBe(rows.slice(from, to).join(','));
        expect(JSON.parse(`[${page.slice(0, rows.length)}]`)).toEqual(rows.map((row) => JSON.parse(row) as unknown));
        expect(rows.map((_, index) => page.row(index))).toEqual(rows);
      }),
    );
  });

  it('gives its memory back when it is released, and is read by nobody afterwards', async () => {
    const page = await decodePage(
      await encodePage(Array.from({ length: 10_000 }, (_, row) => `[${row},"${'x'.repeat(90)}"]`)),
    );
    const before = process.memoryUsage().arrayBuffers;
    page.release();
    // Others of this process may come and go meanwhile, of far less than a megabyte.
    expect(before - process.memoryUsage().arrayBuffers).toBeGreaterThan(page.byteCount * 0.9);
    expect(() => page.row(0)).toThrow(RangeError);
    expect(() => page.slice(0, 1)).toThrow(RangeError);
  });

  it('that is small and released takes no memory of others with it', async () => {
    const pages = await Promise.all(['[1]', '[2]', '[3]'].map(async (row) => decodePage(await encodePage([row]))));
    pages[1]?.release();
    expect([pages[0]?.row(0), pages[2]?.row(0)]).toEqual(['[1]', '[3]']);
    expect(Buffer.from('whoever comes next').toString()).toBe('whoever comes next');
  });

  it('gives back its rows with the columns asked for, in the order asked for, whatever is in them', async () => {
    const rowsAndIndexes = fc
      .integer({ min: 1, max: 6 })
      .chain((width) =>
        fc.tuple(
          fc.array(fc.array(fc.jsonValue(), { minLength: width, maxLength: width }), { minLength: 1, maxLength: 20 }),
          fc.array(fc.nat(width - 1), { maxLength: 8 }),
          fc.nat(25),
        ),
      );
    await fc.assert(
      fc.asyncProperty(rowsAndIndexes, async ([rows, indexes, from]) => {
        const page = await decodePage(await encodePage(rows.map((row) => JSON.stringify(row))));
        const picked = rows.slice(from).map((row) => JSON.stringify(indexes.map((index) => row[index])));
        expect(page.pick(Math.min(from, rows.length), rows.length, indexes).toString()).toBe(picked.join(','));
      }),
    );
  });

  it('picks a number with every digit that JSON.parse would round, and is not led astray by what is inside of texts', async () => {
    const rows = ['[1,{"n":12345678901234567890.123},-0]', String.raw`["a,\"]",["[,",{"x,y":"}\\"}],"ž"]`];
    const page = await decodePage(await encodePage(rows));
    expect(page.pick(0, 2, [2, 1]).toString()).toBe(
      String.raw`[-0,{"n":12345678901234567890.123}],["ž",["[,",{"x,y":"}\\"}]]`,
    );
  });

  it('has no column behind its last, and picks nothing from what is no row', async () => {
    for (const [row, index] of [
      ['[1,2]', 2],
      ['[]', 0],
      ['[1,2', 0],
      ['{"a":1}', 0],
      ['["a]', 0],
      ['[[1]', 0],
    ] as const) {
      const page = await decodePage(await encodePage([row]));
      expect(() => page.pick(0, 1, [index]), row).toThrowError(expect.objectContaining({ code: 'result.corrupt' }));
    }
  });

  it('of batches is that of their rows, one behind the other', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(rowTexts, { maxLength: 4 }), async (batches) => {
        const rows = batches.flat();
        const page = await decodePage(await encodeBatches(batches.map((batch) => RowBatch.of(batch))));
        expect(page.slice(0, rows.length)).toBe(rows.join(','));
        expect(page.rowCount).toBe(rows.length);
      }),
    );
  });

  it('keeps text beyond ASCII and beyond 16 bits', async () => {
    const rows = ['["žluťoučký"]', '["𝕊luice 数据"]', '["plain"]'];
    const page = await decodePage(await encodePage(rows));
    expect([page.row(0), page.row(1), page.row(2)]).toEqual(rows);
  });

  it('has no row behind its last', async () => {
    const page = await decodePage(await encodePage(['[1]']));
    expect(() => page.row(1)).toThrowError(RangeError);
    expect(() => page.row(-1)).toThrowError(RangeError);
    expect(page.slice(1, 5)).toBe('');
    expect(page.slice(-3, 5)).toBe('[1]');
  });

  it('of another format is refused', async () => {
    const bytes = Buffer.from(await encodePage(['[1]']));
    bytes.writeUInt8(2, 0);
    expect(await codeOf(decodePage(bytes))).toBe('result.corrupt');
  });

  it('that lost or changed any byte is refused, never served', async () => {
    const rows = ['[1,"a"]', '[2,"b"]', '[3,"ccc"]'];
    const good = await encodePage(rows);
    for (let length = 0; length < good.length; length++) {
      expect(await codeOf(decodePage(good.subarray(0, length))), `cut to ${length}`).toBe('result.corrupt');
    }
    for (let at = 0; at < good.length; at++) {
      const bad = Uint8Array.from(good);
      bad[at] = (bad[at] ?? 0) ^ 0x04;
      // zstd has header bits that mean nothing for the content: what they leave readable must be the rows themselves.
      const read = await decodePage(bad).then((page) => page.slice(0, rows.length), codeOfError);
      expect([rows.join(','), 'result.corrupt'], `byte ${at}`).toContain(read);
    }
  });

  it('that would unpack to more than it says is refused before it fills the memory', async () => {
    const bomb = Buffer.from(await encodePage([JSON.stringify(['x'.repeat(8 * 1024 * 1024)])]));
    expect(bomb.length).toBeLessThan(16 * 1024);
    bomb.writeUInt32LE(100, 5);
    expect(await codeOf(decodePage(bomb))).toBe('result.corrupt');
    bomb.writeUInt32LE(0xffff_ffff, 5);
    expect(await codeOf(decodePage(bomb))).toBe('result.corrupt');
  });

  it('larger than a reader would unpack is not written', async () => {
    const half = `["${'x'.repeat(pageTextBytesMax / 2)}"]`;
    expect(await codeOf(encodePage([half, half]))).toBe('result.too_large');
  });
});
