import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { resultsRequests, workerRequests, type Execution, type SourceConnection } from '#libs/contracts';
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
import { clear, eventsOf, storedRun } from '../../test/orchestrator-suite.js';

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
  orchestrator = startOrchestrator(dataSource);
  principal = newPrincipal();
  source = newSource(principal.workspaceId);
  answerAround(orchestrator.bus, source);
  orchestrator.bus.answer(workerRequests.cancelAtSource, () => ({ canceled: true }));
  worker = new TestWorker(orchestrator);
  await worker.announce(4);
});

const patterns = (): string[] => orchestrator.bus.requests.map(({ pattern }) => pattern);

async function running(): Promise<Execution> {
  const execution = await submitSql(orchestrator, principal, source, 'select 1');
  await worker.claim({ runId: execution.runId, fence: 1 });
  orchestrator.bus.requests.length = 0;
  return execution;
}

async function lost(): Promise<Execution> {
  const execution = await running();
  await dataSource.query(`update orchestrator.run set lease_until = now() - interval '1 s'`);
  return execution;
}

function fenced(part: { sealed?: boolean; pagesCommitted?: number }, of: Orchestrator = orchestrator): void {
  of.bus.answer(resultsRequests.fenceRun, () => ({
    sealed: false,
    pagesCommitted: 0,
    rowCount: 4,
    byteCount: 40,
    ...part,
  }));
}

describe('a run whose worker was lost', () => {
  it('is tried again while no page was committed, once its results are fenced and its statement is cancelled', async () => {
    const { id, runId } = await lost();
    await sweep(orchestrator);
    expect(patterns()).toEqual([
      resultsRequests.fenceRun.pattern,
      expect.stringContaining('GetSourceConnections'),
      workerRequests.cancelAtSource.pattern,
    ]);
    expect(await orchestrator.executions.get(id, principal)).toMatchObject({
      state: 'QUEUED',
      version: 3,
      attempts: 1,
    });
    expect(await worker.succeed({ runId, fence: 1 })).toBe(false);
  });

  it('ends as lost once a page could be read: rows that were shown never change', async () => {
    fenced({ pagesCommitted: 1 });
    const { id } = await lost();
    await sweep(orchestrator);
    expect(await orchestrator.executions.get(id, principal)).toMatchObject({
      state: 'FAILED',
      rows: 4,
      error: { code: 'run.worker_lost', retryable: true },
    });
    expect(orchestrator.bus.countOf(workerRequests.cancelAtSource)).toBe(1);
  });

  it('has succeeded where its result was sealed, and nothing is cancelled', async () => {
    fenced({ sealed: true });
    const { id } = await lost();
    await sweep(orchestrator);
    expect(await orchestrator.executions.get(id, principal)).toMatchObject({ state: 'SUCCEEDED', rows: 4, bytes: 40 });
    expect(orchestrator.bus.countOf(workerRequests.cancelAtSource)).toBe(0);
  });

  it('is tried no more often than it may be', async () => {
    const { id } = await lost();
    await dataSource.query('update orchestrator.run set attempts = attempts_max');
    await sweep(orchestrator);
    expect(await orchestrator.executions.get(id, principal)).toMatchObject({ state: 'FAILED' });
  });

  it('waits for results, without whose word nothing is decided', async () => {
    orchestrator.bus.answer(resultsRequests.fenceRun, () => Promise.reject(new Error('away')));
    const { runId } = await lost();
    await sweep(orchestrator);
    expect(await storedRun(dataSource, runId)).toMatchObject({ state: 'RUNNING' });
    fenced({});
    await dataSource.query('update orchestrator.run set reaped_until = null');
    await sweep(orchestrator);
    expect(await storedRun(dataSource, runId)).toMatchObject({ state: 'QUEUED' });
  });

  it('is settled even where its source cannot be reached', async () => {
    orchestrator.bus.answer(workerRequests.cancelAtSource, () => Promise.reject(new Error('no route')));
    const { runId } = await lost();
    await sweep(orchestrator);
    expect(await storedRun(dataSource, runId)).toMatchObject({ state: 'QUEUED' });
  });

  it('is left alone by a reaper that has not been healthy for a whole lease', async () => {
    const { runId } = await lost();
    await sweep(orchestrator, false);
    expect(await storedRun(dataSource, runId)).toMatchObject({ state: 'RUNNING' });
    expect(patterns()).toEqual([]);
  });

  it('is settled once by many reapers at once', async () => {
    await lost();
    const reapers = [orchestrator, startOrchestrator(dataSource), startOrchestrator(dataSource)];
    for (const each of reapers) {
      answerAround(each.bus, source);
      fenced({ pagesCommitted: 2 }, each);
    }
    await Promise.all(reapers.map((each) => sweep(each, true)));
    expect(await eventsOf(dataSource)).toBe(1);
  });
});

describe('time', () => {
  it('that is up makes a run CANCELING, then TIMED_OUT with its error', async () => {
    orchestrator.bus.answer(workerRequests.stopRun, () => ({ stopping: false }));
    const { id } = await running();
    await dataSource.query(`update orchestrator.run set deadline = now() - interval '1 h'`);
    await sweep(orchestrator, false);
    await orchestrator.stops.settle();
    expect(orchestrator.bus.requests).toContainEqual(
      expect.objectContaining({ input: expect.objectContaining({ timedOut: true }), instance: worker.id }),
    );
    expect(await orchestrator.executions.get(id, principal)).toMatchObject({
      state: 'TIMED_OUT',
      version: 4,
      error: { code: 'run.timed_out' },
    });
  });

  it('in the queue is bounded too', async () => {
    await worker.announce(0);
    const { id } = await submitSql(orchestrator, principal, source, 'select 2');
    await sweep(orchestrator, false);
    expect(await orchestrator.executions.get(id, principal)).toMatchObject({ state: 'QUEUED' });
    await dataSource.query(`update orchestrator.run set queue_deadline = now() - interval '1 s'`);
    await sweep(orchestrator, false);
    expect(await orchestrator.executions.get(id, principal)).toMatchObject({
      state: 'TIMED_OUT',
      version: 2,
      error: { code: 'run.timed_out' },
    });
  });

  it('for a claim doubles with each dispatch that found none, so that a slow source is reached in the end', async () => {
    const { runId } = await submitSql(orchestrator, principal, source, 'select 1');
    const unclaimedFor = async (seconds: number): Promise<string> => {
      await dataSource.query(`update orchestrator.run set dispatched_at = now() - make_interval(secs => $1)`, [
        seconds,
      ]);
      await sweep(orchestrator, false);
      return (await storedRun(dataSource, runId)).state;
    };
    expect(await unclaimedFor(4)).toBe('DISPATCHED');
    expect(await unclaimedFor(6)).toBe('QUEUED');
    await orchestrator.dispatch.fill('default', 8);
    expect(await unclaimedFor(9)).toBe('DISPATCHED');
    expect(await unclaimedFor(11)).toBe('QUEUED');
    expect(await storedRun(dataSource, runId)).toMatchObject({ version: 1, fence: 2 });
  });
});
