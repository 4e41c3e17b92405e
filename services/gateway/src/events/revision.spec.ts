import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Revision } from './revision.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** Whether it has resolved by now. */
async function isOver(wait: Promise<void>): Promise<boolean> {
  const pending = Symbol('pending');
  return (await Promise.race([wait, Promise.resolve(pending)])) !== pending;
}

describe('A wait for more than is known', () => {
  it('ends with what is heard, and at once where that was heard before', async () => {
    const revision = new Revision();
    const wait = revision.beyond(0, new AbortController().signal, 1_000);
    expect(await isOver(wait)).toBe(false);
    revision.raise();
    expect(await isOver(wait)).toBe(true);
    expect(await isOver(revision.beyond(0, new AbortController().signal))).toBe(true);
  });

  it.each([
    { earlierMs: 5_000, ms: 100 },
    { earlierMs: 100, ms: 5_000 },
    { earlierMs: undefined, ms: 300 },
  ])('ends after its own time, $ms ms, though the one before it had $earlierMs', async ({ earlierMs, ms }) => {
    const revision = new Revision();
    const { signal } = new AbortController();
    void revision.beyond(0, signal, earlierMs);
    revision.raise();
    const wait = revision.beyond(1, signal, ms);
    await vi.advanceTimersByTimeAsync(ms - 1);
    expect(await isOver(wait)).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await isOver(wait)).toBe(true);
  });

  it('without a time of its own outlasts the timer of the one before', async () => {
    const revision = new Revision();
    const { signal } = new AbortController();
    void revision.beyond(0, signal, 100);
    revision.raise();
    const wait = revision.beyond(1, signal);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await isOver(wait)).toBe(false);
    revision.raise();
    expect(await isOver(wait)).toBe(true);
  });

  it('ends with its signal, which leaves no timer behind', async () => {
    const revision = new Revision();
    const ended = new AbortController();
    const wait = revision.beyond(0, ended.signal, 5_000);
    ended.abort();
    expect(await isOver(wait)).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
});
