import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseArrayText, type ArrayItem } from './postgres-array.js';

/** As the server writes an array of text. */
function write(items: readonly ArrayItem[]): string {
  const texts = items.map((item) => {
    if (item === null) return 'NULL';
    if (typeof item !== 'string') return write(item);
    const isPlain = item !== '' && !/[{}",\\\s]/.test(item) && item.toUpperCase() !== 'NULL';
    return isPlain ? item : `"${item.replace(/["\\]/g, '\\$&')}"`;
  });
  return `{${texts.join(',')}}`;
}

describe('the text of an array', () => {
  it('is read as what the server wrote, for any items', () => {
    const items = fc.array(
      fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('NULL', '', '{}', '"', '\\', ',', null)),
    );
    const property = fc.property(items, (given) => {
      expect(parseArrayText(write(given))).toEqual(given);
    });
    expect(fc.check(property, { numRuns: 1_000 }).counterexample).toBeNull();
  });

  it.each([
    ['{}', []],
    [
      '{{1,2},{3,NULL}}',
      [
        ['1', '2'],
        ['3', null],
      ],
    ],
    ['[-1:0]={a,b}', ['a', 'b']],
    ['[1:1][2:3]={{a,b}}', [['a', 'b']]],
  ])('%s is %j', (text, items) => {
    expect(parseArrayText(text)).toEqual(items);
  });

  it('of boxes has another delimiter', () => {
    expect(parseArrayText('{(1,1),(0,0);(2,2),(0,0)}', ';')).toEqual(['(1,1),(0,0)', '(2,2),(0,0)']);
  });
});
