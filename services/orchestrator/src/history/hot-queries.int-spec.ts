import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Execution, RequestOf, runRequests, SourceConnection } from '#libs/contracts';
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
import { repeatInHistory } from '../../test/long-history.js';
import { PlanLog, planLogFlags, type TableRead } from '../../test/plan-log.js';
import { lookedAtMax } from '../execution/execution.repository.js';

// .ci/nightly sets SLUICE_TEST_LONG=1; fewer are enough to see a table that is read whole.
const historyLength = process.env['SLUICE_TEST_LONG'] === '1' ? 1_000_000 : 50_000;
/** A batch of the retention, or a page of a list with the row behind each of its executions; no other statement looks at more. */
const rowsMax = 1_000;

const principal = newPrincipal({ permissions: new Set(['query.run', 'execution.read']) });
const source: SourceConnection = newSource(principal.workspaceId);

let server: PostgresServer;
let database: DataSource;
let orchestrator: Orchestrator;
let worker: TestWorker;
const log = new PlanLog();

beforeAll(async () => {
  server = await startPostgres({ flags: planLogFlags, onLog: log.hear });
  database = await openDatabase(await server.createDatabase());
  orchestrator = startOrchestrator(database);
  answerAround(orchestrator.bus, source);
  worker = new TestWorker(orchestrator);
  await worker.announce(100);
  const finished = await finish(await ask('select 0'));
  await repeatInHistory(database, finished, historyLength);
  await invalidateOften(5_000);
}, 600_000);
afterAll(async () => {
  await database.destroy();
  await server.stop();
});

const ask = (text: string): Promise<Execution> => submitSql(orchestrator, principal, source, text);

/** So many names, and a note that is old enough for them to be looked at. */
async function invalidateOften(count: number): Promise<void> {
  await database.query(
    `insert into orchestrator.cache_revision (workspace_id, subject, revision)
     select $1, 'tag:' || n, 2 from generate_series(1, ${count}) n`,
    [principal.workspaceId],
  );
  await database.query(
    `insert into orchestrator.cache_horizon (revision, noted_at) values (1, now() - interval '20 days')`,
  );
}

async function finish(execution: Execution): Promise<Execution> {
  await worker.claim({ runId: execution.runId, fence: 1 });
  await worker.succeed({ runId: execution.runId, fence: 1 });
  return execution;
}

type ListInput = RequestOf<typeof runRequests.listExecutions>;
const list = (filter: Partial<ListInput>) =>
  orchestrator.executions.list({ states: [], page: { first: 100 }, ...filter }, principal);

const paths: Record<string, () => Promise<unknown>> = {
  'a question that is run': async () => finish(await ask('select 1')),
  'the same question again, answered by the kept result': () => ask('select 1'),
  'a question that is canceled': async () => orchestrator.cancels.cancel((await ask('select 2')).id, principal),
  'an execution by its id': async () => orchestrator.executions.getMany([(await ask('select 1')).id], principal),
  'the newest executions of everyone': () => list({}),
  'the newest executions of one user': () => list({ submittedById: principal.userId }),
  'the executions of one day': () =>
    list({
      submittedFrom: new Date(Date.now() - 11 * 86_400_000),
      submittedTo: new Date(Date.now() - 10 * 86_400_000),
    }),
  'what has finished since': async () => {
    const { position: after } = await orchestrator.executions.listFinished({ limit: 100 }, principal);
    await finish(await ask('select 3'));
    return orchestrator.executions.listFinished({ after, limit: 100 }, principal);
  },
  'what operators see': async () => {
    await orchestrator.operations.queues(principal);
    await orchestrator.operations.listWorkers(principal);
    for (const ended of [true, false]) await orchestrator.operations.slowRuns({ ended, limit: 100 }, principal);
    for (const kind of ['USERS', 'SOURCES'] as const) {
      await orchestrator.operations.usage({ of: kind, by: 'SECONDS', limit: 100 }, principal);
    }
  },
  'what the doctor asks': () => orchestrator.workHealth.examine(),
  'the heartbeat of a worker': () => worker.announce(100),
  'a look of the dispatcher': () => orchestrator.dispatch.fill('default', 10),
  'a look of the reaper': () => sweep(orchestrator),
  'the retention, where nothing is too old': () => orchestrator.history.purge(),
};

const sifted: Record<string, Partial<ListInput>> = {
  'a text that no statement has': { search: 'nowhere' },
  'a text that the oldest statement has': { search: `select ${historyLength}` },
  'a state that none has': { states: ['TIMED_OUT'] },
  'a data source that none is of': { dataSourceId: newId('dataSource') },
  'a saved query that none is of': { savedQueryId: newId('savedQuery') },
};

describe(`With ${historyLength.toLocaleString('en')} executions kept`, () => {
  it.each(Object.keys(paths))('%s looks at few rows', async (path) => {
    log.take();
    await paths[path]?.();
    const reads = await readsUpTo(path);
    expect(reads.length).toBeGreaterThan(1);
    expect(reads.filter(({ rows }) => rows > rowsMax)).toEqual([]);
  });

  it.each(Object.keys(sifted))('a page of executions for %s looks at a bounded stretch of them', async (what) => {
    log.take();
    await list({ ...sifted[what] });
    const reads = await readsUpTo(what);
    expect(reads.filter(({ rows }) => rows > lookedAtMax)).toEqual([]);
  });

  it('what has not ended is found by its state behind any number of others, in one page and by few rows', async () => {
    const waiting = await ask('select 4');
    // So that all others are newer.
    await database.query(`update orchestrator.execution set submitted_at = now() - interval '100 days' where id = $1`, [
      waiting.id,
    ]);
    log.take();
    const { executions, pageInfo } = await list({ states: ['QUEUED', 'RUNNING', 'CANCELING'] });
    expect([executions.map(({ id }) => id), pageInfo?.hasNextPage]).toEqual([[waiting.id], false]);
    const reads = await readsUpTo('what has not ended');
    expect(reads.filter(({ rows }) => rows > rowsMax)).toEqual([]);
    await orchestrator.cancels.cancel(waiting.id, principal);
  });

  it('a search goes on behind what a page has looked at, to the oldest execution, and tells it once', async () => {
    const found: unknown[] = [];
    let pages = 0;
    for (let after: string | undefined, isMore = true; isMore; pages += 1) {
      const { executions, pageInfo } = await list({
        ...{ search: `select ${historyLength}`, page: { first: 100, ...(after === undefined ? {} : { after }) } },
      });
      found.push(...executions.map(({ sql }) => sql));
      [after, isMore] = [pageInfo?.endCursor, pageInfo?.hasNextPage ?? false];
    }
    expect(found).toEqual([`select ${historyLength}`]);
    expect(pages).toBeGreaterThanOrEqual(historyLength / lookedAtMax);
    expect(pages).toBeLessThanOrEqual(historyLength / lookedAtMax + 1);
  });
});

/** The log comes by a pipe, after the answer; it has come when it has what is asked for last. */
async function readsUpTo(what: string): Promise<TableRead[]> {
  await database.query(`select '${what}' from orchestrator.finished_horizon`);
  await until(() => log.has(what));
  return log.take();
}
