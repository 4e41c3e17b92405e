import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PeriodicTask, type PeriodicWork } from './periodic-task.js';

const everyMs = 1_000;

let logged: string[];
let task: PeriodicTask | undefined;

beforeEach(() => {
  vi.useFakeTimers();
  logged = [];
});
afterEach(async () => {
  await task?.stop();
  vi.useRealTimers();
});

function start(work: PeriodicWork['work'], { jitter = 0, random = 0 } = {}): PeriodicTask {
  const write =
    (level: string) =>
    (_fields: object, text: string): void =>
      void logged.push(`${level} ${text}`);
  const logger = { debug: write('debug'), info: write('info'), warn: write('warn') };
  task = new PeriodicTask({ name: 'looking', everyMs, jitter, work }, logger, () => random);
  task.start();
  return task;
}

describe('A periodic task', () => {
  it('works after each pause', async () => {
    const work = vi.fn(async () => undefined);
    start(work);
    await vi.advanceTimersByTimeAsync(everyMs - 1);
    expect(work).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(2 * everyMs + 1);
    expect(work).toHaveBeenCalledTimes(3);
  });

  it('has pauses that are shorter by chance, and never longer', async () => {
    const work = vi.fn(async () => undefined);
    start(work, { jitter: 0.5, random: 0.8 });
    await vi.advanceTimersByTimeAsync(599);
    expect(work).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(work).toHaveBeenCalledTimes(1);
  });

  it('never overlaps itself: the pause begins when the work has ended', async () => {
    const ends: (() => void)[] = [];
    const work = vi.fn(() => new Promise<void>((resolve) => ends.push(resolve)));
    start(work);
    await vi.advanceTimersByTimeAsync(10 * everyMs);
    expect(work).toHaveBeenCalledTimes(1);
    ends.pop()?.();
    await vi.advanceTimersByTimeAsync(everyMs - 1);
    expect(work).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(work).toHaveBeenCalledTimes(2);
    ends.pop()?.();
  });

  it('goes on after failures, of which the first in a row is a warning, and tells once that it goes well again', async () => {
    let turn = 0;
    start(async () => {
      turn += 1;
      if ([1, 2, 3, 6].includes(turn)) throw new Error('not now');
    });
    await vi.advanceTimersByTimeAsync(6 * everyMs);
    const failed = 'a periodic task has failed';
    expect(logged).toEqual([
      ...[`warn ${failed}`, `debug ${failed}`, `debug ${failed}`, 'info a periodic task goes well again'],
      `warn ${failed}`,
    ]);
  });

  it('warns of failures in a row again where they are others than before, and every few minutes where they are the same', async () => {
    let reason = 'not now';
    start(async () => {
      throw new Error(reason);
    });
    const warnings = (): number => logged.filter((line) => line.startsWith('warn')).length;
    await vi.advanceTimersByTimeAsync(5 * everyMs);
    reason = 'never';
    await vi.advanceTimersByTimeAsync(5 * everyMs);
    expect(warnings()).toBe(2);
    await vi.advanceTimersByTimeAsync(900_000);
    expect(warnings()).toBe(5);
  });

  it('does not go well again by a turn that it has left to another', async () => {
    const turns = ['fails', 'left', 'left', 'done'];
    start(async () => {
      const turn = turns.shift();
      if (turn === 'fails') throw new Error('not now');
      return turn === 'left' ? 'left' : undefined;
    });
    await vi.advanceTimersByTimeAsync(3 * everyMs);
    expect(logged).toEqual(['warn a periodic task has failed']);
    await vi.advanceTimersByTimeAsync(everyMs);
    expect(logged).toEqual(['warn a periodic task has failed', 'info a periodic task goes well again']);
  });

  it('tells its work that the process stops, waits for it, and begins no more', async () => {
    let isOver = false;
    const work = vi.fn(async (signal: AbortSignal) => {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => setTimeout(resolve, 300)));
      isOver = true;
    });
    const stopped = start(work);
    await vi.advanceTimersByTimeAsync(everyMs);
    const stop = stopped.stop().then(() => isOver);
    await vi.advanceTimersByTimeAsync(10 * everyMs);
    expect(await stop).toBe(true);
    expect(work).toHaveBeenCalledTimes(1);
  });

  it('ends at once within a pause', async () => {
    const work = vi.fn(async () => undefined);
    await start(work).stop();
    await vi.advanceTimersByTimeAsync(10 * everyMs);
    expect(work).not.toHaveBeenCalled();
  });
});
