import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isoDate } from './civil-date.js';

const dayMs = 86_400_000;

describe('a date in days since 1970', () => {
  it('is the date that JavaScript says, wherever JavaScript has one', () => {
    const property = fc.property(fc.integer({ min: -719_528, max: 2_932_896 }), (days) => {
      return isoDate(days) === new Date(days * dayMs).toISOString().slice(0, 10);
    });
    expect(fc.check(property, { numRuns: 2_000 }).counterexample).toBeNull();
  });

  it.each([
    [-719_529, '-0001-12-31'],
    [2_932_897, '+10000-01-01'],
    [2_147_483_646, '+5881580-07-10'],
    [-2_147_483_646, '-5877641-06-25'],
  ])('of %i is %s, beyond four digits with a sign', (days, text) => {
    expect(isoDate(days)).toBe(text);
  });
});
