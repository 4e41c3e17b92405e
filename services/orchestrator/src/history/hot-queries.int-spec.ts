import type { DataSource, EntityManager } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Execution, RequestOf, runRequests, SourceConnection } from '#libs/contracts';
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
import { PlanLog, planLogFlags } from '../../test/plan-log.js';

// .ci/nightly sets SLUICE_TEST_LONG=1; fewer are enough to see a table that is read whole.
const historyLength = process.env['SLUICE_TEST_LONG'] === '1' ? 1_000_000 : 50_000;
/** A batch of the retention, or a page of a list with the row behind each of its executions; no statement looks at more. */
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
  await repeatInHistory(finished, historyLength);
}, 600_000);
afterAll(async () => {
  await database.destroy();
  await server.stop();
});

const ask = (text: string): Promise<Execution> => submitSql(orchestrator, principal, source, text);

async function finish(execution: Execution): Promise<Execution> {
  await worker.claim({ runId: execution.runId, fence: 1 });
  await worker.succeed({ runId: execution.runId, fence: 1 });
  return execution;
}

/** As many finished runs and executions like this one, of a thousand users, over the last twenty days. */
async function repeatInHistory({ id, runId }: Execution, count: number): Promise<void> {
  const ago = `now() - interval '20 days' * (g.i::double precision / ${count})`;
  await database.transaction(async (manager) => {
    // Neither a check nor a plan for each row.
    await manager.query(`set local session_replication_role = replica`);
    await manager.query(`set local auto_explain.log_min_duration = -1`);
    await copyRows(manager, 'run', runId, count, {
      id: `'run_' || lpad(g.i::text, 26, '0')`,
      flight_key: `sha256(g.i::text::bytea)`,
      sql: `'select ' || g.i`,
      user_id: `'usr_' || g.i % 1000`,
      submitted_at: ago,
      finished_at: ago,
      finished_seq: `g.i`,
      finished_xid: `'100'::xid8`,
    });
    await copyRows(manager, 'execution', id, count, {
      id: `'exe_' || lpad(g.i::text, 26, '0')`,
      run_id: `'run_' || lpad(g.i::text, 26, '0')`,
      caller_id: `'usr_' || g.i % 1000`,
      submitted_at: ago,
    });
  });
  await database.query('vacuum analyze orchestrator.run, orchestrator.execution');
}

async function copyRows(
  manager: EntityManager,
  table: string,
  id: string,
  count: number,
  changes: Record<string, string>,
): Promise<void> {
  const columns: { name: string }[] = await manager.query(
    `select column_name as name from information_schema.columns where table_schema = 'orchestrator' and table_name = $1`,
    [table],
  );
  const names = columns.map(({ name }) => name);
  await manager.query(
    `insert into orchestrator.${table} (${names.join(', ')})
     select ${names.map((name) => changes[name] ?? `t.${name}`).join(', ')}
     from orchestrator.${table} t cross join generate_series(1, ${count}) g (i) where t.id = $1`,
    [id],
  );
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

describe(`With ${historyLength.toLocaleString('en')} executions kept`, () => {
  it.each(Object.keys(paths))('%s looks at few rows', async (path) => {
    log.take();
    await paths[path]?.();
    // The log comes by a pipe, after the answer; it has come when it has what is asked for last.
    await database.query(`select '${path}' from orchestrator.finished_horizon`);
    await until(() => log.has(path));
    const reads = log.take();
    expect(reads.length).toBeGreaterThan(1);
    expect(reads.filter(({ rows }) => rows > rowsMax)).toEqual([]);
  });
});
