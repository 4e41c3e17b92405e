import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RunPlan } from '#libs/contracts';
import type { SourceSession } from '../connector/connector.js';
import { HeldRun } from './held-run.js';

const plan: RunPlan = {
  ...{ runId: 'run_1', fence: 1, workspaceId: 'wsp_1', source: undefined, sql: 'select 1', rowsMax: 1, bytesMax: 1 },
  ...{ timeoutMs: 1_000, submittedById: 'usr_1', requestId: 'req_1', traceparent: '', values: [] },
};
const never = new Promise<never>(() => undefined);

function sessionWith(cancel: () => Promise<void>): SourceSession {
  return {
    handle: { values: {} },
    confirm: () => never,
    estimate: () => never,
    query: () => never,
    cancel,
    close: async () => undefined,
  };
}

const failureOf = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);

describe('a held run', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('cancels its session when it is stopped, once, and keeps the first reason', () => {
    const cancel = vi.fn(async () => undefined);
    const run = new HeldRun(plan, () => undefined);
    run.attach(sessionWith(cancel));
    run.stop('timedOut');
    run.stop('canceled');
    expect(cancel).toHaveBeenCalledTimes(1);
    expect(run.stopReason).toBe('timedOut');
  });

  it('that was stopped before it had a session cancels the session as soon as it has one', () => {
    const cancel = vi.fn(async () => undefined);
    const run = new HeldRun(plan, () => undefined);
    run.stop('canceled');
    run.attach(sessionWith(cancel));
    expect(cancel).toHaveBeenCalledTimes(1);
  });

  it('that is stopped leaves a wait for a source that does not notice, also where the cancel failed', async () => {
    const failures: unknown[] = [];
    const run = new HeldRun(plan, (error) => failures.push(error));
    run.attach(sessionWith(() => Promise.reject(new Error('no connection'))));
    const left = failureOf(run.within(never));
    run.stop('canceled');
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await left).toMatchObject({ name: 'RunStoppedError', reason: 'canceled' });
    expect(failures).toEqual([new Error('no connection')]);
  });

  it('whose grace was over while it did something else begins no wait without an end', async () => {
    const run = new HeldRun(plan, () => undefined);
    run.stop('timedOut');
    await vi.advanceTimersByTimeAsync(10_000);
    const left = failureOf(run.within(never));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await left).toMatchObject({ name: 'RunStoppedError', reason: 'timedOut' });
  });

  it('takes no outcome after it was stopped, even a good one', async () => {
    const run = new HeldRun(plan, () => undefined);
    const left = failureOf(run.within(Promise.resolve('rows')));
    run.stop('draining');
    expect(await left).toMatchObject({ reason: 'draining' });
  });

  it('passes on what its work comes to', async () => {
    const run = new HeldRun(plan, () => undefined);
    expect(await run.within(Promise.resolve('rows'))).toBe('rows');
    await expect(run.within(Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  });
});
