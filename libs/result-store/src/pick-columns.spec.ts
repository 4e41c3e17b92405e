import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pickColumns } from './index.js';

describe('pickColumns', () => {
  it('gives the values asked for, in the order asked for, whatever is in them', () => {
    const rowAndIndexes = fc
      .array(fc.jsonValue(), { minLength: 1, maxLength: 8 })
      .chain((row) => fc.tuple(fc.constant(row), fc.array(fc.nat(row.length - 1), { maxLength: 10 })));
    fc.assert(
      fc.property(rowAndIndexes, ([row, indexes]) => {
        expect(pickColumns(JSON.stringify(row), indexes)).toBe(JSON.stringify(indexes.map((index) => row[index])));
      }),
    );
  });

  it('keeps every digit of a number that JSON.parse would round', () => {
    expect(pickColumns('[1,{"n":12345678901234567890.123},-0]', [2, 1])).toBe('[-0,{"n":12345678901234567890.123}]');
  });

  it('is not led astray by brackets, commas and quotes inside of texts', () => {
    expect(pickColumns(String.raw`["a,\"]",["[,",{"x,y":"}\\"}],3]`, [2, 0])).toBe(String.raw`[3,"a,\"]"]`);
  });

  it('refuses a column that the row does not have, and what is no row', () => {
    for (const [text, index] of [
      ['[1,2]', 2],
      ['[]', 0],
      ['[1,2', 0],
      ['{"a":1}', 0],
      ['["a]', 0],
    ] as const) {
      expect(() => pickColumns(text, [index])).toThrowError(expect.objectContaining({ code: 'result.corrupt' }));
    }
  });
});
