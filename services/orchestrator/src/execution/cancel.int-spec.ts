import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  executionChanged,
  resultsRequests,
  workerRequests,
  type Execution,
  type SourceConnection,
} from '#libs/contracts';
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
  orchestrator = startOrchestrator(dataSource, { lease: { stopGraceMs: 1_000 } });
  principal = newPrincipal();
  source = newSource(principal.workspaceId);
  answerAround(orchestrator.bus, source);
  worker = new TestWorker(orchestrator);
});

const ask = (who: Principal = principal): Promise<Execution> => submitSql(orchestrator, who, source, 'select 1');
const cancel = (execution: Execution, who: Principal = principal): Promise<Execution> =>
  orchestrator.cancels.cancel(execution.id, who);
const colleague = (permissions: string[] = ['query.run']): Principal =>
  newPrincipal({ workspaceId: principal.workspaceId, permissions: new Set(permissions) as Principal['permissions'] });

async function runningBy(worker: TestWorker): Promise<Execution> {
  await worker.announce(4);
  const execution = await ask();
  await worker.claim({ runId: execution.runId, fence: 1 });
  return execution;
}

describe('a cancel', () => {
  it('ends what is QUEUED at once, and what takes its slot goes on', async () => {
    const execution = await ask();
    expect(await cancel(execution)).toMatchObject({ state: 'CANCELED', version: 2 });
    expect(await laneFaults(dataSource)).toEqual([]);
    expect(await eventsOf(dataSource)).toBe(1);
  });

  it('ends what is DISPATCHED at once, and its worker’s claim is refused', async () => {
    await worker.announce(1);
    const execution = await ask();
    expect(await cancel(execution)).toMatchObject({ state: 'CANCELED', version: 2 });
    expect(await worker.claim({ runId: execution.runId, fence: 1 })).toBe(false);
  });

  it('makes what is RUNNING CANCELING, tells its worker, and the worker’s word ends it', async () => {
    orchestrator.bus.answer(workerRequests.stopRun, () => ({ stopping: true }));
    const execution = await runningBy(worker);
    expect(await cancel(execution)).toMatchObject({ state: 'CANCELING', version: 3 });
    await orchestrator.stops.settle();
    expect(orchestrator.bus.requests).toContainEqual({
      pattern: workerRequests.stopRun.pattern,
      input: { runId: execution.runId, fence: 1, timedOut: false },
      instance: worker.id,
    });
    expect(orchestrator.bus.countOf(workerRequests.cancelAtSource)).toBe(0);
    await orchestrator.finish({
      runId: execution.runId,
      fence: 1,
      outcome: { case: 'stopped', value: { timedOut: false } },
    });
    expect(await orchestrator.executions.get(execution.id, principal)).toMatchObject({ state: 'CANCELED', version: 4 });
  });

  it('never becomes SUCCEEDED, even where the worker was done first', async () => {
    orchestrator.bus.answer(workerRequests.stopRun, () => ({ stopping: true }));
    const execution = await runningBy(worker);
    await cancel(execution);
    await worker.succeed({ runId: execution.runId, fence: 1 });
    expect(await orchestrator.executions.get(execution.id, principal)).toMatchObject({ state: 'CANCELED' });
  });

  it('is done at the source through any worker where the run’s own does not answer', async () => {
    orchestrator.bus.answer(workerRequests.cancelAtSource, () => ({ canceled: true }));
    const execution = await runningBy(worker);
    await cancel(execution);
    await orchestrator.stops.settle();
    expect(orchestrator.bus.requests).toContainEqual({
      pattern: workerRequests.cancelAtSource.pattern,
      input: { source, handle: { values: { backend_pid: '1' } } },
      instance: undefined,
    });
    expect(orchestrator.bus.countOf(resultsRequests.fenceRun)).toBe(1);
    expect(await storedRun(dataSource, execution.runId)).toMatchObject({ state: 'CANCELED' });
    expect(await worker.succeed({ runId: execution.runId, fence: 1 })).toBe(false);
  });

  it('ends even where neither worker, source nor results can be reached', async () => {
    const execution = await runningBy(worker);
    orchestrator.bus.answer(resultsRequests.fenceRun, () => Promise.reject(new Error('away')));
    await cancel(execution);
    await orchestrator.stops.settle();
    expect(await storedRun(dataSource, execution.runId)).toMatchObject({ state: 'CANCELED' });
  });

  it('is finished by a reaper where the process that began it died', async () => {
    orchestrator.bus.answer(workerRequests.stopRun, () => ({ stopping: true }));
    const execution = await runningBy(worker);
    await cancel(execution);
    await orchestrator.stops.settle();
    await sweep(orchestrator, false);
    expect(await storedRun(dataSource, execution.runId)).toMatchObject({ state: 'CANCELING' });
    await dataSource.query(`update orchestrator.run set canceling_at = now() - interval '2 s'`);
    await sweep(orchestrator, false);
    expect(await storedRun(dataSource, execution.runId)).toMatchObject({ state: 'CANCELED' });
  });

  it('of what is final, or is on its way there, answers with it as it is', async () => {
    const execution = await runningBy(worker);
    await worker.succeed({ runId: execution.runId, fence: 1 });
    expect(await cancel(execution)).toMatchObject({ state: 'SUCCEEDED', version: 3 });
    expect(await cancel(execution)).toMatchObject({ state: 'SUCCEEDED', version: 3 });
  });
});

describe('a run that callers share', () => {
  it('goes on when one of them leaves, who keeps a state and version of their own', async () => {
    const mine = await runningBy(worker);
    const theirs = await ask(colleague());
    expect(theirs).toMatchObject({ runId: mine.runId, state: 'RUNNING', cacheStatus: 'SHARED' });
    expect(await cancel(mine)).toMatchObject({ state: 'CANCELED', version: 3 });
    expect(orchestrator.bus.told.filter(({ type }) => type === executionChanged.type)).toMatchObject([
      { message: { executionId: mine.id, state: 'CANCELED', version: 3 } },
    ]);
    await worker.succeed({ runId: mine.runId, fence: 1 });
    expect(await orchestrator.executions.get(mine.id, principal)).toMatchObject({ state: 'CANCELED', version: 3 });
    expect(await storedRun(dataSource, mine.runId)).toMatchObject({ state: 'SUCCEEDED' });
  });

  it('is cancelled by the last who leaves, and only by the last, however many leave at once', async () => {
    const callers = Array.from({ length: 12 }, () => colleague());
    const executions = await Promise.all(callers.map(ask));
    const runId = executions[0]?.runId ?? '';
    await Promise.all(executions.slice(1).map((each, index) => cancel(each, callers[index + 1])));
    expect(await storedRun(dataSource, runId)).toMatchObject({ state: 'QUEUED' });
    const [first] = executions;
    if (first) await cancel(first, callers[0]);
    expect(await storedRun(dataSource, runId)).toMatchObject({ state: 'CANCELED' });
  });

  it('is never left by all of them and never takes in who came too late, under any race', async () => {
    for (let round = 0; round < 15; round += 1) {
      await clear(dataSource);
      const [first, second] = [colleague(), colleague()];
      const mine = await ask(first);
      const [, joined] = await Promise.all([cancel(mine, first), ask(second)]);
      const seen = await orchestrator.executions.get(joined.id, second);
      expect(seen.state).toBe('QUEUED');
      expect((await orchestrator.executions.get(mine.id, first)).state).toBe('CANCELED');
    }
  });

  it('goes on without anyone where it is kept for a refresh', async () => {
    const execution = await runningBy(worker);
    await dataSource.query('update orchestrator.run set keep = true');
    expect(await cancel(execution)).toMatchObject({ state: 'CANCELED' });
    expect(await storedRun(dataSource, execution.runId)).toMatchObject({ state: 'RUNNING' });
  });
});

describe('another’s execution', () => {
  it('is absent without execution.read, seen with it, and cancelled only with execution.manage', async () => {
    const execution = await ask();
    const absent = { code: 'run.not_found', path: ['id'] };
    await expect(cancel(execution, colleague())).rejects.toMatchObject(absent);
    await expect(cancel(execution, newPrincipal())).rejects.toMatchObject(absent);
    await expect(cancel(execution, colleague(['execution.read']))).rejects.toMatchObject({ code: 'auth.forbidden' });
    expect(await cancel(execution, colleague(['execution.read', 'execution.manage']))).toMatchObject({
      state: 'CANCELED',
    });
  });

  it('named by what is no id is absent', async () => {
    for (const id of ['', 'exe_', 'exe_\0', "exe_' or true --"]) {
      await expect(orchestrator.cancels.cancel(id, principal)).rejects.toMatchObject({ code: 'run.not_found' });
      expect(await orchestrator.executions.getMany([id], principal)).toEqual([]);
      expect(await orchestrator.executions.versions({ executionIds: [id], waitingIds: [id] })).toEqual([]);
    }
  });

  it('in another workspace is absent, whatever the permissions', async () => {
    const execution = await ask();
    const stranger = newPrincipal({
      permissions: new Set(['execution.read', 'execution.manage']),
    });
    expect(await orchestrator.executions.getMany([execution.id], stranger)).toEqual([]);
    await expect(cancel(execution, stranger)).rejects.toMatchObject({ code: 'run.not_found' });
  });
});

it('the statement is told to who may write SQL or read the source, and to no one else', async () => {
  const execution = await ask();
  expect(await orchestrator.executions.get(execution.id, principal)).toMatchObject({ sql: 'select 1' });
  const runner = { ...principal, permissions: new Set(['saved_query.run']) as Principal['permissions'] };
  expect((await orchestrator.executions.get(execution.id, runner)).sql).toBeUndefined();
});
