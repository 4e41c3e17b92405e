import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RunPlan } from '#libs/contracts';
import { HeldRun, RunStoppedError } from './held-run.js';

const plan: RunPlan = {
  ...{ runId: 'run_1', fence: 1, workspaceId: 'wsp_1', source: undefined, sql: 'select 1', rowsMax: 1, bytesMax: 1 },
  ...{ timeoutMs: 1_000, submittedById: 'usr_1', requestId: 'req_1', traceparent: '' },
};
const never = new Promise<never>(() => undefined);

describe('a held run', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('that is stopped leaves a wait for a source that does not notice', async () => {
    const run = new HeldRun(plan, () => undefined);
    const left = expect(run.within(never)).rejects.toThrow(RunStoppedError);
    run.stop('canceled');
    await vi.advanceTimersByTimeAsync(10_000);
    await left;
  });

  it('whose grace was over while it did something else begins no wait without an end', async () => {
    const run = new HeldRun(plan, () => undefined);
    run.stop('timedOut');
    await vi.advanceTimersByTimeAsync(10_000);
    const left = expect(run.within(never)).rejects.toThrow(RunStoppedError);
    await vi.advanceTimersByTimeAsync(10_000);
    await left;
  });
});
