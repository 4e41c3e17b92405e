import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { operatorRequests, workerRequests, type Execution, type SourceConnection } from '#libs/contracts';
import type { Principal } from '#libs/identity';
import { AppError, newId } from '#libs/kernel';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { openDatabase, type TestDatabase } from '../../test/data-source.js';
import {
  answerAround,
  newContext,
  newPrincipal,
  newSource,
  startOrchestrator,
  submitSql,
  TestWorker,
  type Orchestrator,
} from '../../test/orchestrator-harness.js';
import { WorkerListRepository } from './worker-list.repository.js';

let server: PostgresServer;
let database: TestDatabase;
let orchestrator: Orchestrator;
let worker: TestWorker;
let source: SourceConnection;

const operator = newPrincipal({ permissions: new Set(['query.run', 'operations.read', 'operations.manage']) });
const other = newPrincipal({ workspaceId: operator.workspaceId });
const stranger = newPrincipal({ permissions: operator.permissions });

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(async () => {
  await server.stop();
});
beforeEach(async () => {
  database = await openDatabase(await server.createDatabase());
  orchestrator = startOrchestrator(database);
  source = newSource(operator.workspaceId);
  answerAround(orchestrator.bus, source);
  orchestrator.bus.answer(operatorRequests.mayOperate, () => ({ mayOperate: true }));
  orchestrator.bus.answer(workerRequests.setDraining, () => ({ runs: 0 }));
  worker = new TestWorker(orchestrator);
  return () => database.destroy();
});

async function running(text: string, principal = operator): Promise<Execution> {
  const execution = await submitSql(orchestrator, principal, source, text);
  expect(await worker.claim({ runId: execution.runId, fence: 1 })).toBe(true);
  return execution;
}

async function stateOf({ id }: Execution): Promise<string | undefined> {
  const [row]: { state: string }[] = await database.query(
    'select coalesce(e.own_state, r.state) as state from orchestrator.execution e join orchestrator.run r on r.id = e.run_id where e.id = $1',
    [id],
  );
  return row?.state;
}

async function audited(): Promise<unknown[]> {
  const rows: { envelope: Buffer }[] = await database.query(
    'select envelope from orchestrator.outbox order by sequence',
  );
  return rows.map(({ envelope }) => envelope.toString('latin1'));
}

describe('what operators see', () => {
  it('is what waits, by data source and priority, and for how long', async () => {
    await worker.announce(1);
    await running('select 1');
    await submitSql(orchestrator, operator, source, 'select 2');
    await submitSql(orchestrator, other, source, 'select 3');
    await database.query(
      `update orchestrator.run set submitted_at = now() - interval '1 minute' where sql = 'select 3'`,
    );
    const [queue, ...more] = await orchestrator.operations.queues(operator);
    expect(more).toEqual([]);
    expect(queue).toMatchObject({
      dataSourceId: source.id,
      priority: 'INTERACTIVE',
      queued: 2,
      active: 1,
      paused: false,
    });
    expect(Date.now() - (queue?.waitingSince?.getTime() ?? 0)).toBeGreaterThan(59_000);
    expect(await orchestrator.operations.queues(stranger)).toEqual([]);
  });

  it('is each worker, and what it runs for their own workspace alone', async () => {
    await worker.announce(1);
    const execution = await running('select 1', other);
    const idle = new TestWorker(orchestrator);
    await idle.announce(2);
    const draining = new TestWorker(orchestrator);
    await draining.announce(0);
    const silent = new TestWorker(orchestrator);
    await silent.announce(2);
    await database.query(`update orchestrator.worker set heartbeat_at = now() - interval '1 minute' where id = $1`, [
      silent.id,
    ]);
    const workers = await orchestrator.operations.listWorkers(operator);
    const states = Object.fromEntries(workers.map(({ id, state }) => [id, state]));
    expect(states).toEqual({
      [worker.id]: 'FULL',
      [idle.id]: 'FREE',
      [draining.id]: 'DRAINING',
      [silent.id]: 'SILENT',
    });
    const runs = workers.find(({ id }) => id === worker.id)?.runs;
    expect(runs).toEqual([
      expect.objectContaining({ executionId: execution.id, submittedById: other.userId, state: 'RUNNING' }),
    ]);
    const seen = (await orchestrator.operations.listWorkers(stranger)).find(({ id }) => id === worker.id);
    expect(seen).toMatchObject({ busySlots: 1, runs: [] });
  });

  it('names the data sources that a worker is bound to in their own workspace alone, and counts those of others', async () => {
    const theirs = newSource(stranger.workspaceId);
    answerAround(orchestrator.bus, theirs);
    await submitSql(orchestrator, stranger, theirs, 'select 1');
    answerAround(orchestrator.bus, source);
    await submitSql(orchestrator, operator, source, 'select 1');
    await worker.announce(1, { sourceIds: [source.id, theirs.id, newId('dataSource')] });
    const bindings = async (of: Principal): Promise<unknown> => {
      const [seen] = await orchestrator.operations.listWorkers(of);
      return [seen?.sourceIds, seen?.otherSources];
    };
    expect(await bindings(operator)).toEqual([[source.id], 1]);
    expect(await bindings(stranger)).toEqual([[theirs.id], 1]);
    await database.query('update orchestrator.source set deleted = true where id = $1', [theirs.id]);
    expect(await bindings(operator)).toEqual([[source.id], 0]);
    expect(await bindings(stranger)).toEqual([[], 1]);
  });

  it('is what runs longest, and what ran longest of what has ended in the last hour', async () => {
    await worker.announce(10);
    const [short, long, recent, old] = [
      await running('select 1'),
      await running('select 2'),
      await running('select 3'),
      await running('select 4'),
    ];
    await database.query(`update orchestrator.run set started_at = now() - interval '90 seconds' where id = $1`, [
      long.runId,
    ]);
    for (const { runId } of [recent, old]) await worker.succeed({ runId, fence: 1 });
    await database.query(
      `update orchestrator.run set started_at = finished_at - interval '5 seconds',
         finished_at = finished_at - case id when $1 then interval '2 hours' else interval '0' end where id = any ($2)`,
      [old.runId, [recent.runId, old.runId]],
    );
    const now = await orchestrator.operations.slowRuns({ ended: false, limit: 10 }, operator);
    expect(now.runs.map(({ executionId }) => executionId)).toEqual([long.id, short.id]);
    expect(now.runs[0]?.seconds).toBeGreaterThan(89);
    const ended = await orchestrator.operations.slowRuns({ ended: true, limit: 10 }, operator);
    expect(ended.runs.map(({ executionId }) => executionId)).toEqual([recent.id]);
    expect(await orchestrator.operations.slowRuns({ ended: false, limit: 10 }, stranger)).toEqual({ runs: [] });
  });

  it('is who and what used most', async () => {
    await worker.announce(10);
    for (const text of ['select 1', 'select 2']) await worker.succeed({ runId: (await running(text)).runId, fence: 1 });
    await worker.succeed({ runId: (await running('select 3', other)).runId, fence: 1 });
    const users = await orchestrator.operations.usage({ of: 'USERS', by: 'RUNS', limit: 1 }, operator);
    expect(users.usages).toEqual([expect.objectContaining({ id: operator.userId, runs: 2, rows: 6 })]);
    const sources = await orchestrator.operations.usage({ of: 'SOURCES', by: 'ROWS', limit: 10 }, operator);
    expect(sources.usages).toEqual([expect.objectContaining({ id: source.id, runs: 3, rows: 9 })]);
    expect(await orchestrator.operations.usage({ of: 'SOURCES', by: 'ROWS', limit: 10 }, stranger)).toEqual({
      usages: [],
    });
  });

  it.each([0, 101])('refuses a list of %i', async (limit) => {
    await expect(orchestrator.operations.slowRuns({ ended: false, limit }, operator)).rejects.toMatchObject({
      code: 'input.invalid',
    });
  });
});

describe('a kill', () => {
  it('ends a run for all who wait for it, and is in the audit log', async () => {
    await worker.announce(10);
    const first = await running('select 1', other);
    const joined = await submitSql(orchestrator, operator, source, 'select 1');
    expect(joined.runId).toBe(first.runId);
    await orchestrator.operations.kill(first.id, operator);
    expect([await stateOf(first), await stateOf(joined)]).toEqual(['CANCELING', 'CANCELING']);
    expect((await audited()).join()).toContain('execution.killed');
  });

  it('ends what waits at once, and does nothing to what has ended', async () => {
    const waiting = await submitSql(orchestrator, other, source, 'select 1');
    await orchestrator.operations.kill(waiting.id, operator);
    expect(await stateOf(waiting)).toBe('CANCELED');
    const before = (await audited()).length;
    await orchestrator.operations.kill(waiting.id, operator);
    expect((await audited()).length).toBe(before);
  });

  it('does not reach another workspace, nor what is not there', async () => {
    const waiting = await submitSql(orchestrator, other, source, 'select 1');
    for (const [id, by] of [
      [waiting.id, stranger],
      [newId('execution'), operator],
      ["'", operator],
    ] as const) {
      await expect(orchestrator.operations.kill(id, by)).rejects.toMatchObject({ code: 'run.not_found' });
    }
    expect(await stateOf(waiting)).toBe('QUEUED');
  });
});

describe('draining', () => {
  const drain = (draining: boolean): Promise<unknown> =>
    orchestrator.operations.setDraining({ workerId: worker.id, draining }, operator, newContext(operator));

  it('asks the worker itself, and is in the audit log', async () => {
    await worker.announce(2);
    await drain(true);
    expect(orchestrator.bus.requests).toContainEqual(
      expect.objectContaining({ instance: worker.id, input: { draining: true, revision: expect.any(Number) } }),
    );
    expect((await audited()).join()).toContain('worker.drained');
  });

  it('is in the audit log before the worker hears of it', async () => {
    await worker.announce(2);
    const told: string[] = [];
    orchestrator.bus.answer(workerRequests.setDraining, async () => {
      told.push((await audited()).join());
      return { runs: 0 };
    });
    await drain(true);
    expect(told).toEqual([expect.stringContaining('worker.drained')]);
  });

  it.each([
    ['bus.timeout', 'no_answer'],
    ['bus.unavailable', 'bus.unavailable'],
  ] as const)('that fails with %s is in the audit log as %s', async (code, reason) => {
    await worker.announce(2);
    orchestrator.bus.answer(workerRequests.setDraining, () => {
      throw new AppError(code, 'It failed.');
    });
    await expect(drain(true)).rejects.toMatchObject({ code });
    expect((await audited()).map((entry) => String(entry).includes(reason))).toEqual([false, true]);
  });

  it('tells how the worker failed also where that cannot be noted', async () => {
    await worker.announce(2);
    orchestrator.bus.answer(workerRequests.setDraining, async () => {
      await database.query('alter table orchestrator.outbox rename to gone');
      throw new AppError('bus.timeout', 'No answer.');
    });
    await expect(drain(true)).rejects.toMatchObject({ code: 'bus.timeout' });
  });

  it('is no success where the worker has gone meanwhile', async () => {
    await worker.announce(2);
    const list = vi.spyOn(WorkerListRepository.prototype, 'list');
    list.mockImplementationOnce(async function (this: WorkerListRepository, ...input) {
      const workers = await this.list(...input);
      await database.query('delete from orchestrator.worker');
      return workers;
    });
    await expect(drain(true)).rejects.toMatchObject({ code: 'worker.not_found' });
    expect(orchestrator.bus.countOf(workerRequests.setDraining)).toBe(0);
    expect(await audited()).toEqual([]);
  });

  it('and its end are counted, so that the worker knows which of them came later', async () => {
    await worker.announce(2);
    const words: { draining: boolean; revision: number }[] = [];
    orchestrator.bus.answer(workerRequests.setDraining, (word) => {
      words.push(word);
      return { runs: 0 };
    });
    for (const draining of [true, false]) await drain(draining);
    await worker.announce(0);
    await drain(true);
    expect(words.map(({ draining }) => draining)).toEqual([true, false, true]);
    const revisions = words.map(({ revision }) => revision);
    expect(revisions).toEqual([...new Set(revisions)].toSorted((one, other) => one - other));
  });

  it('is a later word than any from before the database was restored', async () => {
    await worker.announce(2);
    const revisions: number[] = [];
    orchestrator.bus.answer(workerRequests.setDraining, ({ revision }) => {
      revisions.push(revision);
      return { runs: 0 };
    });
    await database.query('update orchestrator.worker set draining_revision = 41');
    await drain(true);
    await database.query('update orchestrator.worker set draining_revision = 7');
    await drain(false);
    const [before = Infinity, after] = revisions;
    expect(after).toBeGreaterThanOrEqual(before);
  });

  it('is refused to who does not operate the installation, and for a worker that is not there', async () => {
    await worker.announce(2);
    const nobody = { workerId: 'nobody', draining: true };
    await expect(orchestrator.operations.setDraining(nobody, operator, newContext(operator))).rejects.toMatchObject({
      code: 'worker.not_found',
    });
    orchestrator.bus.answer(operatorRequests.mayOperate, () => ({ mayOperate: false }));
    await expect(drain(true)).rejects.toMatchObject({ code: 'auth.forbidden' });
    expect(orchestrator.bus.countOf(workerRequests.setDraining)).toBe(0);
  });
});

describe('the doctor of what is done', () => {
  const found = async (): Promise<string[]> =>
    (await orchestrator.workHealth.examine()).findings.map(({ severity, what }) => `${severity} ${what}`);

  it('finds that no worker is there, that all drain, and that all slots are taken', async () => {
    await submitSql(orchestrator, operator, source, 'select 0');
    await database.query(`update orchestrator.run set submitted_at = now() - interval '2 minutes'`);
    expect(await found()).toEqual([
      expect.stringMatching(/^CRITICAL No worker was heard of in 30 s\. 1 runs wait, the oldest for 12\d s\.$/),
    ]);
    await worker.announce(0);
    expect(await found()).toEqual([expect.stringMatching(/^CRITICAL All 1 workers are draining\. 1 runs wait/)]);
    await worker.announce(1);
    expect(await found()).toEqual([]);
    await running('select 1').catch(() => undefined);
    await orchestrator.dispatch.fill('default', 1);
    await submitSql(orchestrator, operator, source, 'select 2');
    await database.query(
      `update orchestrator.run set submitted_at = now() - interval '2 minutes' where state = 'QUEUED'`,
    );
    expect(await found()).toEqual([expect.stringMatching(/^WARNING All 1 slots are taken\. \d runs wait/)]);
  });

  it('finds a paused data source that runs wait for, and one that is not reached', async () => {
    await worker.announce(20);
    for (let index = 0; index < 6; index += 1) {
      const { runId } = await running(`select ${index}`);
      const error = { code: 'source.unavailable', message: 'gone', retryable: false };
      await orchestrator.finish({ runId, fence: 1, outcome: { case: 'failed', value: { error, transient: false } } });
    }
    await database.query('update orchestrator.source set paused = true');
    await database.query(
      `update orchestrator.run set state = 'QUEUED', finished_at = null, finished_xid = null, finished_seq = null where sql = 'select 5'`,
    );
    expect(await found()).toEqual([
      `WARNING ${source.id} is paused, and 1 runs wait for it.`,
      `WARNING 5 of the last 5 runs did not reach ${source.id}, most with source.unavailable.`,
    ]);
  });

  it('finds runs that nobody has moved on', async () => {
    await worker.announce(1);
    await running('select 1');
    await database.query(`update orchestrator.run set lease_until = now() - interval '5 minutes'`);
    expect(await found()).toEqual(['WARNING 1 runs have been RUNNING for too long.']);
  });
});
