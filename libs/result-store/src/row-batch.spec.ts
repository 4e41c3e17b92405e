import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RowBatch } from './index.js';

const rowTexts = fc.array(fc.array(fc.jsonValue(), { maxLength: 3 }).map((row) => JSON.stringify(row)));

describe('a batch of rows', () => {
  it('gives back the texts that it was made of, and knows their bytes', () => {
    fc.assert(
      fc.property(rowTexts, (rows) => {
        const batch = RowBatch.of(rows);
        expect(batch.rows).toEqual(rows);
        expect(batch.rowCount).toBe(rows.length);
        expect(batch.rowBytes).toBe(Buffer.byteLength(rows.join('')));
      }),
    );
  });

  it('is cut before the first row beyond a limit of rows or of bytes, and to whole rows', () => {
    fc.assert(
      fc.property(rowTexts, fc.nat(12), fc.nat(200), (rows, rowsMax, bytesMax) => {
        let bytes = 0;
        const tooMany = rows.findIndex((row, index) => {
          bytes += Buffer.byteLength(row);
          return index >= rowsMax || bytes > bytesMax;
        });
        expect(RowBatch.of(rows).within(rowsMax, bytesMax).rows).toEqual(tooMany < 0 ? rows : rows.slice(0, tooMany));
      }),
    );
  });
});
