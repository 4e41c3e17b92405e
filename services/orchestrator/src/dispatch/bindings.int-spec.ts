import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { SourceConnection } from '#libs/contracts';
import { newId } from '#libs/kernel';
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

async function newSourceOf(part: Partial<SourceConnection> = {}): Promise<SourceConnection> {
  const source = newSource(newId('workspace'), part);
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
