/** The value that at least the share `p` (0 to 1) of all values lie at or below. */
export function percentile(values: readonly number[], p: number): number {
  const rank = Math.min(Math.max(Math.ceil(p * values.length), 1), values.length);
  return valueAt(sortedCopy(values), rank - 1);
}

/** The value in the middle, or the mean of the two that are. */
export function median(values: readonly number[]): number {
  const sorted = sortedCopy(values);
  const half = values.length / 2;
  return (valueAt(sorted, Math.ceil(half) - 1) + valueAt(sorted, Math.floor(half))) / 2;
}

export interface Spread {
  median: number;
  min: number;
  max: number;
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

function sortedCopy(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}

function valueAt(values: readonly number[], index: number): number {
  const value = values[index];
  if (value === undefined) throw new RangeError('no values');
  return value;
}
