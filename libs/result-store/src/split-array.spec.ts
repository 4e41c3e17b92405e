import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitArray } from './split-array.js';

describe('splitArray', () => {
  it('gives the members in their order, whatever is in them', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { maxLength: 8 }), (row) => {
        expect(splitArray(JSON.stringify(row))).toEqual(row.map((value) => JSON.stringify(value)));
      }),
    );
  });

  it('keeps every digit of a number that JSON.parse would round', () => {
    expect(splitArray('[{"n":12345678901234567890.123},-0]')).toEqual(['{"n":12345678901234567890.123}', '-0']);
  });

  it('is not led astray by brackets, commas and quotes inside of texts', () => {
    expect(splitArray(String.raw`["a,\"]",["[,",{"x,y":"}\\"}],3]`)).toEqual([
      String.raw`"a,\"]"`,
      String.raw`["[,",{"x,y":"}\\"}]`,
      '3',
    ]);
  });

  it.each(['[1,2', '{"a":1}', '["a]', '[[1]', ''])('refuses what is no array: %s', (text) => {
    expect(() => splitArray(text)).toThrowError(expect.objectContaining({ code: 'result.corrupt' }));
  });
});
