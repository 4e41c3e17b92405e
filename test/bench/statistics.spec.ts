import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { median, percentile, spreadOf } from './statistics.js';

describe('percentile', () => {
  it('is one of the values, with at least the share p of them at or below it', () => {
    const values = fc.array(fc.integer(), { minLength: 1 });
    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (given, p) => {
        const found = percentile(given, p);
        expect(given).toContain(found);
        expect(given.filter((value) => value <= found).length).toBeGreaterThanOrEqual(Math.floor(p * given.length));
      }),
    );
  });

  it('takes the worst of few values for a high share', () => {
    expect(percentile([3, 1, 2], 0.99)).toBe(3);
  });
});

describe('median', () => {
  it('is the middle value, or the mean of the two in the middle', () => {
    expect(median([5, 1, 3])).toBe(3);
    expect(median([1, 2, 3, 10])).toBe(2.5);
    expect(median([7])).toBe(7);
  });
});

it('spreadOf tells the middle and both ends', () => {
  expect(spreadOf([4, 2, 9])).toEqual({ median: 4, min: 2, max: 9 });
});
