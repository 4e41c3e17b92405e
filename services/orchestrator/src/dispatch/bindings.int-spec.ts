import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { SourceConnection } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { startPostgres, until, type PostgresServer } from '#libs/testing';
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
import { clear, enqueue, storedRun } from '../../test/orchestrator-suite.js';

let server: PostgresServer;
let dataSource: DataSource;
let orchestrator: Orchestrator;

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
});

async function newSourceOf(
  part: Partial<SourceConnection> = {},
  workspaceId = newId('workspace'),
): Promise<SourceConnection> {
  const source = newSource(workspaceId, part);
  await orchestrator.sourceService.take({ ...source, dataSourceId: source.id, deleted: false }, newId('message'));
  return source;
}

async function announce(slots: number, sourceIds: string[] = [], sourceTypes: string[] = []): Promise<TestWorker> {
  const worker = new TestWorker(orchestrator);
  const queue =
    sourceIds.length + sourceTypes.length > 0 ? `run-default-${sourceIds.length}${sourceTypes.join('')}` : '';
  await worker.announce(slots, { queue, sourceIds, sourceTypes });
  return worker;
}

const waiting = (source: SourceConnection, count: number) => enqueue(dataSource, source, { count, users: 1, class: 1 });

/** What a look at the backlog gives out: how many of each source, by queue. */
async function fill(): Promise<Record<string, Record<string, number>>> {
  const outcome = await orchestrator.dispatch.fill('default', 32);
  const given: Record<string, Record<string, number>> = {};
  for (const { plan, queue } of outcome.kind === 'filled' ? outcome.dispatched : []) {
    const counts = (given[queue] ??= {});
    const id = plan.source?.id ?? '';
    counts[id] = (counts[id] ?? 0) + 1;
  }
  return given;
}

const silence = (seconds: number) =>
  dataSource.query(`update orchestrator.worker set heartbeat_at = now() - make_interval(secs => $1)`, [seconds]);

it('a worker that is bound to a source takes its runs alone, and nobody else takes them', async () => {
  const [bound, other] = [await newSourceOf(), await newSourceOf()];
  await announce(3, [bound.id]);
  await announce(2);
  await waiting(bound, 10);
  await waiting(other, 10);
  expect(await fill()).toEqual({ 'run-default-1': { [bound.id]: 3 }, 'run-default': { [other.id]: 2 } });
  // Every slot is taken: each crew's own, whatever the others wait for.
  expect(await fill()).toEqual({});
});

it('a worker that is bound to a type takes all sources of the type, and an unbound one no such source', async () => {
  const [duckdb, postgres] = [await newSourceOf({ type: 'duckdb' }), await newSourceOf()];
  await announce(4, [], ['duckdb']);
  await announce(4);
  await waiting(duckdb, 6);
  await waiting(postgres, 6);
  expect(await fill()).toEqual({ 'run-default-0duckdb': { [duckdb.id]: 4 }, 'run-default': { [postgres.id]: 4 } });
});

it('what only silent workers may take does not hold up what others wait for', async () => {
  const [bound, other] = [await newSourceOf(), await newSourceOf()];
  await announce(4, [bound.id]);
  await silence(60);
  await announce(2);
  await waiting(bound, 50);
  await waiting(other, 5);
  expect(await fill()).toEqual({ 'run-default': { [other.id]: 2 } });
});

it('the limit of a source holds over all workers that may take it', async () => {
  const source = await newSourceOf({ maxConcurrentExecutions: 3 });
  await announce(2, [source.id]);
  await announce(2, [source.id], ['duckdb']);
  await waiting(source, 10);
  const given = await fill();
  const taken = Object.values(given).map((counts) => counts[source.id] ?? 0);
  expect(taken.reduce((sum, count) => sum + count)).toBe(3);
});

it('slots that are bound to one workspace’s source are no share of the others’', async () => {
  const [bound, other] = [await newSourceOf(), await newSourceOf()];
  await announce(10, [bound.id]);
  await announce(10);
  await waiting(other, 1);
  await fill();
  await waiting(bound, 20);
  expect(await fill()).toEqual({ 'run-default-1': { [bound.id]: 10 } });
});

it('a question never passes to a worker that is bound to another source', async () => {
  const principal = newPrincipal();
  const source = newSource(principal.workspaceId);
  answerAround(orchestrator.bus, source);
  await announce(5, [newId('dataSource')]);
  const { runId } = await submitSql(orchestrator, principal, source, 'select 1');
  expect(orchestrator.jobs).toEqual([]);
  expect(await storedRun(dataSource, runId)).toMatchObject({ state: 'QUEUED' });
  expect(await fill()).toEqual({});
});

it('a source goes back to all workers once nobody who is bound to it was heard for a while', async () => {
  const source = await newSourceOf();
  await announce(1, [source.id]);
  await silence(299);
  await announce(1);
  await waiting(source, 1);
  expect(await fill()).toEqual({});
  await dataSource.query(
    `update orchestrator.worker set heartbeat_at = now() - interval '301 s' where source_ids <> '{}'`,
  );
  expect(await fill()).toEqual({ 'run-default': { [source.id]: 1 } });
});

it('a run that no live worker serves has no estimate, and ends with the reason after its time, a served one never', async () => {
  const principal = newPrincipal();
  const source = newSource(principal.workspaceId);
  answerAround(orchestrator.bus, source);
  const served = await newSourceOf();
  const [servedRun] = await waiting(served, 1);
  const { id } = await submitSql(orchestrator, principal, source, 'select 1');
  await announce(1, [source.id]);
  await silence(121);
  await announce(1);
  const age = (seconds: number) =>
    dataSource.query('update orchestrator.run set queued_at = now() - make_interval(secs => $1)', [seconds]);
  const told = () => orchestrator.executions.get(id, principal);
  await age(119);
  await sweep(orchestrator);
  expect(await told()).toMatchObject({ state: 'QUEUED', queuePosition: 2, estimatedWaitSeconds: undefined });
  await age(121);
  await sweep(orchestrator);
  expect(await told()).toMatchObject({
    state: 'FAILED',
    error: {
      code: 'source.unavailable',
      message: 'No worker that serves the data source is running.',
      retryable: true,
    },
  });
  expect(await storedRun(dataSource, servedRun ?? '')).toMatchObject({ state: 'QUEUED' });
});

it('what has waited long is not ended by workers that leave in order, nor by a silence that may be the broker’s', async () => {
  const principal = newPrincipal();
  const source = newSource(principal.workspaceId);
  answerAround(orchestrator.bus, source);
  const worker = await announce(1);
  await submitSql(orchestrator, principal, source, 'select 1');
  const { id } = await submitSql(orchestrator, principal, source, 'select 2');
  await dataSource.query(`update orchestrator.run set queued_at = now() - interval '200 s' where state = 'QUEUED'`);
  const stateNow = async (): Promise<string> => (await orchestrator.executions.get(id, principal)).state;
  await worker.announce(0);
  await sweep(orchestrator);
  expect(await stateNow()).toBe('QUEUED');
  await silence(121);
  await sweep(orchestrator, false);
  expect(await stateNow()).toBe('QUEUED');
  await sweep(orchestrator);
  expect(await stateNow()).toBe('FAILED');
});

it('a workspace that may hold no more elsewhere does not keep a free slot from the others', async () => {
  orchestrator = startOrchestrator(dataSource, { queue: { workspaceRunsMax: 2 } });
  const workspaceId = newId('workspace');
  const [bound, free] = [await newSourceOf({}, workspaceId), await newSourceOf({}, workspaceId)];
  const other = await newSourceOf();
  await announce(2, [bound.id]);
  await announce(1);
  await waiting(bound, 2);
  expect(await fill()).toEqual({ 'run-default-1': { [bound.id]: 2 } });
  await waiting(free, 1);
  await waiting(other, 5);
  expect(await fill()).toEqual({ 'run-default': { [other.id]: 1 } });
});

it('takes the locks of backlog and lane in one order: who holds a backlog is never stopped by its lane', async () => {
  const source = await newSourceOf();
  await waiting(source, 1);
  await dataSource.query(`update orchestrator.run set not_before = now() + interval '1 h'`);
  await announce(1);
  const holder = dataSource.createQueryRunner();
  await holder.startTransaction();
  await holder.query('update orchestrator.backlog set queued = queued');
  const filling = fill();
  // Until the fill waits for the backlog.
  await until(
    async () => {
      const [row]: { n: number }[] = await dataSource.query(
        `select count(*)::integer as n from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
      );
      return (row?.n ?? 0) > 0;
    },
    { what: 'a wait for the backlog' },
  );
  await holder.query(`set local lock_timeout = '500ms'`);
  await holder.query('update orchestrator.lane set queued = queued');
  await holder.commitTransaction();
  await holder.release();
  expect(await filling).toEqual({});
});
