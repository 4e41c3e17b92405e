import fc from 'fast-check';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { resultsRequests, workerRequests, type Execution, type RunError, type SourceConnection } from '#libs/contracts';
import type { Principal } from '#libs/identity';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { openDatabase } from '../../test/data-source.js';
import {
  answerAround,
  newPrincipal,
  newSource,
  startOrchestrator,
  submitSql,
  sweep,
  TestWorker,
  type Orchestrator,
} from '../../test/orchestrator-harness.js';
import { clear, eventsOf, laneFaults, storedRun } from '../../test/orchestrator-suite.js';
import { isFinal } from './transitions.js';

let server: PostgresServer;
let dataSource: DataSource;
let orchestrator: Orchestrator;
let principal: Principal;
let source: SourceConnection;
let worker: TestWorker;

beforeAll(async () => {
  server = await startPostgres();
  dataSource = await openDatabase(await server.createDatabase());
});

afterAll(async () => {
  await dataSource.destroy();
  await server.stop();
});

beforeEach(async () => {
  await clear(dataSource);
  orchestrator = startOrchestrator(dataSource, { lease: { retryInitialMs: 1 } });
  principal = newPrincipal();
  source = newSource(principal.workspaceId);
  answerAround(orchestrator.bus, source);
  worker = new TestWorker(orchestrator);
  await worker.announce(4);
});

const broken: RunError = { code: 'source.unavailable', message: 'gone', retryable: true };

async function dispatched(): Promise<Execution> {
  return submitSql(orchestrator, principal, source, 'select 1');
}

async function running(): Promise<Execution> {
  const execution = await dispatched();
  expect(await worker.claim({ runId: execution.runId, fence: 1 })).toBe(true);
  return execution;
}

/** Dispatches as if the wait before the next try had passed. */
async function dispatchDue(): Promise<void> {
  await dataSource.query('update orchestrator.run set not_before = now()');
  await orchestrator.dispatch.fill('default', 8);
}

const finish = (runId: string, fence: number, outcome: Parameters<Orchestrator['finish']>[0]['outcome']) =>
  orchestrator.finish({ runId, fence, outcome });

const failed = (error: RunError, transient: boolean) => ({ case: 'failed', value: { error, transient } }) as const;

describe('a claim', () => {
  it('is granted to one worker only', async () => {
    const { runId } = await dispatched();
    const others = Array.from({ length: 10 }, () => new TestWorker(orchestrator));
    const granted = await Promise.all(others.map((each) => each.claim({ runId, fence: 1 })));
    expect(granted.filter(Boolean)).toHaveLength(1);
    expect(await storedRun(dataSource, runId)).toMatchObject({ state: 'RUNNING', version: 2, attempts: 1 });
  });

  it('asked again by the same worker with the same handle is granted again, and tells the time left', async () => {
    const { runId } = await running();
    expect(await worker.claim({ runId, fence: 1 })).toBe(true);
    expect(await storedRun(dataSource, runId)).toMatchObject({ version: 2, attempts: 1 });
    const { timeoutMs } = await orchestrator.claims.claim({
      runId,
      fence: 1,
      workerId: worker.id,
      handle: { values: { backend_pid: '1' } },
    });
    expect(timeoutMs).toBeGreaterThan(290_000);
    expect(timeoutMs).toBeLessThanOrEqual(300_000);
  });

  it('under an older or newer fence touches nothing', async () => {
    const { runId } = await dispatched();
    expect(await worker.claim({ runId, fence: 0 })).toBe(false);
    expect(await worker.claim({ runId, fence: 2 })).toBe(false);
    expect(await storedRun(dataSource, runId)).toMatchObject({ state: 'DISPATCHED', version: 1 });
  });
});

describe('a stale worker', () => {
  it('changes nothing once its run was given to another', async () => {
    const { runId } = await running();
    await finish(runId, 1, failed(broken, true));
    await dispatchDue();
    const before = await storedRun(dataSource, runId);
    expect(before).toMatchObject({ state: 'DISPATCHED', fence: 2 });
    const beat = await orchestrator.heartbeats.beat({
      workerId: worker.id,
      pool: 'default',
      slots: 4,
      ...{ queue: '', sourceIds: [], sourceTypes: [] },
      runs: [{ runId, fence: 1, rows: 9, bytes: 9 }],
    });
    expect(beat.stopped).toEqual([{ runId, fence: 1 }]);
    expect(await worker.claim({ runId, fence: 1 })).toBe(false);
    expect(await worker.succeed({ runId, fence: 1 })).toBe(false);
    expect((await finish(runId, 1, failed(broken, false))).accepted).toBe(false);
    expect(await storedRun(dataSource, runId)).toEqual(before);
  });

  it('is told the final state that stands', async () => {
    const { runId } = await running();
    expect(await worker.succeed({ runId, fence: 1 })).toBe(true);
    expect(await finish(runId, 1, failed(broken, false))).toEqual({ accepted: false, state: 'SUCCEEDED' });
    // The same end told twice was told: only its answer was lost.
    expect(await worker.succeed({ runId, fence: 1 })).toBe(true);
    expect(await eventsOf(dataSource)).toBe(1);
  });
});

describe('the end of a try', () => {
  it('that failed for good ends the run with its error, and forgets how to reach the source', async () => {
    const { id, runId } = await running();
    const error: RunError = {
      code: 'run.query_failed',
      message: 'no such table',
      retryable: false,
      sourceCode: '42P01',
    };
    expect(await finish(runId, 1, failed(error, false))).toEqual({ accepted: true, state: 'FAILED' });
    const execution = await orchestrator.executions.get(id, principal);
    expect(execution).toMatchObject({ state: 'FAILED', version: 3, error, attempts: 1 });
    expect(execution.finishedAt).toBeInstanceOf(Date);
    expect(await storedRun(dataSource, runId)).toMatchObject({ source: null });
  });

  it('that failed in passing is tried again with a higher version, while no page was committed', async () => {
    const { id, runId } = await running();
    expect(await finish(runId, 1, failed(broken, true))).toEqual({ accepted: true, state: 'QUEUED' });
    const execution = await orchestrator.executions.get(id, principal);
    expect(execution).toMatchObject({ state: 'QUEUED', version: 3, attempts: 1 });
    expect(execution.error).toBeUndefined();
    expect(await laneFaults(dataSource)).toEqual([]);
  });

  it('that failed in passing is not tried again once a page could be read', async () => {
    orchestrator.bus.answer(resultsRequests.fenceRun, () => ({
      sealed: false,
      pagesCommitted: 1,
      rowCount: 100,
      byteCount: 900,
    }));
    const { id, runId } = await running();
    expect(await finish(runId, 1, failed(broken, true))).toEqual({ accepted: true, state: 'FAILED' });
    expect(await orchestrator.executions.get(id, principal)).toMatchObject({ error: broken, rows: 100, bytes: 900 });
  });

  it('is decided by the seal where there is one', async () => {
    orchestrator.bus.answer(resultsRequests.fenceRun, () => ({
      sealed: true,
      pagesCommitted: 0,
      rowCount: 5,
      byteCount: 50,
    }));
    const { runId } = await running();
    expect(await finish(runId, 1, failed(broken, true))).toEqual({ accepted: true, state: 'SUCCEEDED' });
  });

  it('counts tries up to their limit, before and after the claim alike', async () => {
    const { id, runId } = await dispatched();
    for (let fence = 1; fence <= 3; fence += 1) {
      if (fence === 2) await worker.claim({ runId, fence });
      const { state } = await finish(runId, fence, failed(broken, true));
      expect(state).toBe(fence < 3 ? 'QUEUED' : 'FAILED');
      await dispatchDue();
    }
    expect(await orchestrator.executions.get(id, principal)).toMatchObject({
      state: 'FAILED',
      attempts: 3,
      error: broken,
    });
  });

  it('that was handed back does not count as a try', async () => {
    const { id, runId } = await running();
    expect(await finish(runId, 1, { case: 'released', value: {} })).toEqual({ accepted: true, state: 'QUEUED' });
    expect(await orchestrator.executions.get(id, principal)).toMatchObject({ attempts: 0, version: 3 });
    await orchestrator.dispatch.fill('default', 8);
    expect(await finish(runId, 2, { case: 'released', value: {} })).toEqual({ accepted: true, state: 'QUEUED' });
    expect(await orchestrator.executions.get(id, principal)).toMatchObject({ attempts: 0, version: 3 });
  });

  it('is left to a reaper where results does not answer', async () => {
    const { runId } = await running();
    orchestrator.bus.answer(resultsRequests.fenceRun, () => Promise.reject(new Error('away')));
    expect(await finish(runId, 1, failed(broken, true))).toEqual({ accepted: true, state: 'RUNNING' });
    orchestrator.bus.answer(resultsRequests.fenceRun, () => ({
      sealed: false,
      pagesCommitted: 1,
      rowCount: 1,
      byteCount: 1,
    }));
    await sweep(orchestrator, true);
    expect(await storedRun(dataSource, runId)).toMatchObject({ state: 'FAILED', error_code: broken.code });
  });

  it('by its own clock is TIMED_OUT', async () => {
    const { id, runId } = await running();
    await finish(runId, 1, { case: 'stopped', value: { timedOut: true } });
    expect(await orchestrator.executions.get(id, principal)).toMatchObject({
      state: 'TIMED_OUT',
      error: { code: 'run.timed_out', retryable: true },
    });
  });
});

it('a heartbeat keeps the lease, tells progress once, and leaves the version alone', async () => {
  const { id, runId } = await running();
  await dataSource.query(`update orchestrator.run set lease_until = now() - interval '1 s'`);
  const beat = () =>
    orchestrator.heartbeats.beat({
      workerId: worker.id,
      pool: 'default',
      slots: 4,
      ...{ queue: '', sourceIds: [], sourceTypes: [] },
      runs: [{ runId, fence: 1, rows: 10, bytes: 100, fraction: 0.5 }],
    });
  orchestrator.bus.told.length = 0;
  expect(await beat()).toEqual({ stopped: [] });
  await beat();
  expect(orchestrator.bus.told).toMatchObject([{ message: { rows: 10, bytes: 100, version: 2, state: 'RUNNING' } }]);
  expect(await orchestrator.executions.get(id, principal)).toMatchObject({ rows: 10, fraction: 0.5, version: 2 });
  await sweep(orchestrator, true);
  expect(await storedRun(dataSource, runId)).toMatchObject({ state: 'RUNNING' });
});

describe('under any schedule of workers, callers, reapers and losses', () => {
  type Act = (run: { id: string; runId: string; fence: number }) => Promise<unknown>;
  const acts: Record<string, Act> = {
    claim: (run) => worker.claim(run),
    succeed: (run) => worker.succeed(run),
    succeedStale: (run) => worker.succeed({ ...run, fence: run.fence - 1 }),
    failPassing: (run) => finish(run.runId, run.fence, failed(broken, true)),
    failForGood: (run) => finish(run.runId, run.fence, failed(broken, false)),
    release: (run) => finish(run.runId, run.fence, { case: 'released', value: {} }),
    stopped: (run) => finish(run.runId, run.fence, { case: 'stopped', value: { timedOut: false } }),
    cancel: (run) => orchestrator.cancels.cancel(run.id, principal),
    join: () => submitSql(orchestrator, newPrincipal({ workspaceId: principal.workspaceId }), source, 'select 1'),
    dispatch: () => orchestrator.dispatch.fill('default', 8),
    reap: () => sweep(orchestrator, true),
    loseWorker: (run) =>
      dataSource.query(
        `update orchestrator.run set lease_until = now() - interval '1 s' where id = $1 and lease_until is not null`,
        [run.runId],
      ),
    loseJob: (run) =>
      dataSource.query(
        `update orchestrator.run set dispatched_at = now() - interval '1 h' where id = $1 and state = 'DISPATCHED'`,
        [run.runId],
      ),
    passTime: (run) =>
      dataSource.query(
        `update orchestrator.run set not_before = now(), reaped_until = null, canceling_at = canceling_at - interval '1 h'
         where id = $1 and finished_at is null`,
        [run.runId],
      ),
  };

  it('a run has one final state, one event, and versions that never fall', async () => {
    orchestrator.bus.answer(workerRequests.stopRun, () => ({ stopping: true }));
    orchestrator.bus.answer(workerRequests.cancelAtSource, () => ({ canceled: true }));
    const schedule = fc.array(fc.array(fc.constantFrom(...Object.keys(acts)), { minLength: 1, maxLength: 3 }), {
      maxLength: 14,
    });
    await fc.assert(
      fc.asyncProperty(schedule, async (steps) => {
        await clear(dataSource);
        await worker.announce(4);
        const execution = await dispatched();
        let last = await storedRun(dataSource, execution.runId);
        let wasCanceling = false;
        for (const step of steps) {
          const at = { id: execution.id, runId: execution.runId, fence: last.fence };
          // The acts of one step happen at the same time.
          await Promise.all(step.map(async (name) => acts[name]?.(at)));
          const now = await storedRun(dataSource, execution.runId);
          expect(now.version).toBeGreaterThanOrEqual(last.version);
          expect(now.fence).toBeGreaterThanOrEqual(last.fence);
          expect(isFinal(last.state) ? last : now).toEqual(now);
          expect(wasCanceling && now.state === 'SUCCEEDED').toBe(false);
          wasCanceling ||= now.state === 'CANCELING';
          last = now;
        }
        await orchestrator.stops.settle();
        const [told]: { n: string }[] = await dataSource.query(
          `select count(*) as n from orchestrator.run where finished_at is not null`,
        );
        expect(await eventsOf(dataSource)).toBe(Number(told?.n));
        expect(await laneFaults(dataSource)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  }, 120_000);
});
