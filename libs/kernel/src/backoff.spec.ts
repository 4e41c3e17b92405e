import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { delay } from './backoff.js';

const dayMs = 86_400_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('A delay may be longer than a timer can be set for, and ends at once when it is told to', async () => {
  const ending = new AbortController();
  const ended: string[] = [];
  void delay(60 * dayMs).then(() => ended.push('long'));
  void delay(60 * dayMs, { signal: ending.signal }).then(() => ended.push('aborted'));
  await vi.advanceTimersByTimeAsync(60 * dayMs - 1);
  expect(ended).toEqual([]);
  ending.abort();
  await vi.advanceTimersByTimeAsync(0);
  expect(ended).toEqual(['aborted']);
  await vi.advanceTimersByTimeAsync(1);
  expect(ended).toEqual(['aborted', 'long']);
});
