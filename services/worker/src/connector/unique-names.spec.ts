import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { uniqueNames } from './unique-names.js';

describe('column names', () => {
  it.each([
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
    [
      ['a', 'a', 'a'],
      ['a', 'a_2', 'a_3'],
    ],
    [
      ['a', 'a', 'a_2'],
      ['a', 'a_3', 'a_2'],
    ],
    [
      ['a_2', 'a', 'a'],
      ['a_2', 'a', 'a_3'],
    ],
    [
      ['', ''],
      ['', '_2'],
    ],
    [
      ['a', 'a_2', 'a_2', 'a'],
      ['a', 'a_2', 'a_2_2', 'a_3'],
    ],
  ])('%j come out as %j', (names, unique) => {
    expect(uniqueNames(names)).toEqual(unique);
  });

  it('are never repeated, and a name that stands once stays as it is', () => {
    const property = fc.property(fc.array(fc.constantFrom('a', 'a_2', 'a_3', 'a_2_2', 'b')), (names) => {
      const unique = uniqueNames(names);
      const isKept = names.every(
        (name, index) => names.filter((each) => each === name).length > 1 || unique[index] === name,
      );
      return new Set(unique).size === names.length && isKept;
    });
    expect(fc.check(property).counterexample).toBeNull();
  });
});
