import { describe, expect, it } from 'vitest';
import { boundsOf, parseRange } from './byte-range.js';

function bytesOf(header: string, length: number): readonly [number, number] | undefined {
  const range = parseRange(header);
  const bounds = range && boundsOf(range, length);
  return bounds && [bounds.from, bounds.to];
}

describe('a Range header', () => {
  it.each([
    ['bytes=0-', [0, 100]],
    ['bytes=40-', [40, 100]],
    ['bytes=40-49', [40, 50]],
    ['bytes=40-1000', [40, 100]],
    ['bytes=-30', [70, 100]],
    ['bytes=-1000', [0, 100]],
    ['bytes=99-99', [99, 100]],
  ] as const)('%s names bytes of a file of 100', (header, bounds) => {
    expect(bytesOf(header, 100)).toEqual(bounds);
  });

  it.each(['bytes=100-', 'bytes=-0'])('%s names none of a file of 100', (header) => {
    expect(parseRange(header)).toBeDefined();
    expect(bytesOf(header, 100)).toBeUndefined();
  });

  it.each([undefined, '', 'bytes=', 'bytes=-', 'bytes=5-4', 'bytes=0-1,3-4', 'rows=0-1', 'bytes=a-', 'bytes=0-1e3'])(
    '%s is passed over',
    (header) => {
      expect(parseRange(header)).toBeUndefined();
    },
  );
});
