import { beforeEach, describe, expect, it } from 'vitest';
import type { HeartbeatService } from './heartbeat.service.js';
import type { RunProcessor } from './run.processor.js';
import { TakingRuns } from './taking-runs.js';

let taking: TakingRuns;
let isTaking: boolean;
let announced: boolean[];
/** Ends a stop that is under way. */
let stopped: PromiseWithResolvers<void>;

beforeEach(() => {
  isTaking = true;
  announced = [];
  stopped = Promise.withResolvers();
  const processor = {
    takeAgain: () => {
      isTaking = true;
    },
    stopTaking: async () => {
      await stopped.promise;
      isTaking = false;
    },
  };
  const heartbeat = { announce: async (takesRuns: boolean) => void announced.push(takesRuns) };
  // What is asked of them here.
  taking = new TakingRuns(processor as unknown as RunProcessor, heartbeat as unknown as HeartbeatService);
});

describe('A drain and its end', () => {
  it('hold in the order in which they were ordered, whichever comes first', async () => {
    stopped.resolve();
    await taking.set(true, 2);
    await taking.set(false, 1);
    expect(isTaking).toBe(true);
    expect(announced).toEqual([true]);
  });

  it('do not cross where the second comes while the first is under way', async () => {
    const drained = taking.set(false, 1);
    const undrained = taking.set(true, 2);
    stopped.resolve();
    await Promise.all([drained, undrained]);
    expect(isTaking).toBe(true);
    expect(announced).toEqual([false, true]);
  });

  it('hold as they come where a release before tells them, which counts none', async () => {
    stopped.resolve();
    await taking.set(true, 3);
    await taking.set(false, 0);
    expect(isTaking).toBe(false);
  });

  it('change nothing in a process that ends', async () => {
    stopped.resolve();
    await taking.end();
    await taking.set(true, 1);
    expect(isTaking).toBe(false);
  });
});
