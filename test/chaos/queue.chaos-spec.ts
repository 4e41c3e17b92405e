import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { until } from '#libs/testing';
import type { TestMesh as Installation } from '../support/test-mesh.js';
import { collect, executionEvents } from '../support/execution-events.js';
import { cancel, getExecution, run, runToEnd, untilFinal, untilRunning } from '../support/executions.js';
import { RunningMesh } from '../support/running-mesh.js';
import { endlessQuery, slowQuery, unique } from '../support/slow-queries.js';
import { untilBackend, untilNoBackend, untilQuiet } from '../support/source-activity.js';
import { TestMesh } from '../support/test-mesh.js';

let started: Installation;
let mesh: RunningMesh;
let postgresId = '';
let duckdbId = '';

beforeAll(async () => {
  started = await TestMesh.start({
    moreGateways: 1,
    moreWorkers: 1,
    env: { SLUICE_ORCHESTRATOR_QUEUE_UNSERVED_MAX_SECONDS: '4', SLUICE_ORCHESTRATOR_QUEUE_BINDING_HOLD_SECONDS: '20' },
  });
  await started.mesh.addInstance('orchestrator', '2');
  await started.mesh.addInstance('worker', 'bound', undefined, { SLUICE_WORKER_SOURCE_TYPES: 'duckdb' });
  mesh = new RunningMesh(started.accessData);
  postgresId = (await mesh.source('flights_pg')).id;
  duckdbId = (await mesh.source('flights')).id;
});
afterEach(() => untilQuiet(mesh));
afterAll(async () => {
  await mesh.close();
  await started.stop();
});

interface RunRow {
  state: string;
  attempts: number;
  worker_id: string | null;
  code: string | null;
}

async function runsWith(mark: string): Promise<RunRow[]> {
  const { rows } = await mesh.sluice.query<RunRow>(
    `select state, attempts, worker_id, error_code as code from orchestrator.run where position($1 in sql) > 0`,
    [mark],
  );
  return rows;
}

async function callersOf(mark: string): Promise<number> {
  const { rows } = await mesh.sluice.query<{ count: number }>(
    `select count(*)::integer as count from orchestrator.execution e join orchestrator.run r on r.id = e.run_id
     where position($1 in r.sql) > 0`,
    [mark],
  );
  return rows[0]?.count ?? 0;
}

async function isActive(mark: string): Promise<boolean> {
  const { rows } = await mesh.warehouse.query(
    `select 1 from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() and position($1 in query) > 0`,
    [mark],
  );
  return rows.length > 0;
}

const processOf = (workerId: string | null | undefined) =>
  [...started.mesh.children.keys()].find((name) => workerId === `${name}-${process.pid}`) ?? '';

describe('A worker that is bound to a type', () => {
  test('takes every query of its sources and no other', async () => {
    const ask = (sourceId: string, mark: string) =>
      Promise.all(Array.from({ length: 12 }, (_, n) => runToEnd(mesh.admin, sourceId, `select ${n} as ${mark}_${n}`)));
    const ended = await Promise.all([ask(duckdbId, 'bound_duckdb'), ask(postgresId, 'bound_pg')]);
    expect(new Set(ended.flat().map(({ state }) => state))).toEqual(new Set(['SUCCEEDED']));
    const servedBy = async (mark: string) => new Set((await runsWith(mark)).map((row) => processOf(row.worker_id)));
    expect(await servedBy('bound_duckdb')).toEqual(new Set(['worker-bound']));
    expect(await servedBy('bound_pg')).not.toContain('worker-bound');
  });

  test('and is gone: its queries are told so after a while, others go on, and it takes the next when it is back', async () => {
    await started.mesh.child('worker-bound').kill();
    const { id } = await run(mesh.admin, duckdbId, unique('select 1'));
    const events = collect(executionEvents(mesh.admin, { id }));
    expect((await runToEnd(mesh.admin, postgresId, unique('select 1'))).state).toBe('SUCCEEDED');
    expect((await events).at(-1)).toMatchObject({ state: 'FAILED' });
    expect((await getExecution(mesh.admin, id)).error).toMatchObject({
      code: 'DATA_SOURCE_UNAVAILABLE',
      message: 'No worker that serves the data source is running.',
      retryable: true,
    });
    started.mesh.child('worker-bound').start();
    await started.mesh.waitForService('worker-bound');
    expect(await runToEnd(mesh.admin, duckdbId, unique('select 2'))).toMatchObject({ state: 'SUCCEEDED' });
  });
});

describe('A query that ends its worker', () => {
  test('each time it is begun ends as WORKER_LOST after its tries, once', async () => {
    const { text, mark } = endlessQuery();
    const { id } = await run(mesh.admin, postgresId, text);
    const events = collect(executionEvents(mesh.admin, { id }));
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      const running = await until(
        async () => (await runsWith(mark)).find((row) => row.state === 'RUNNING' && row.attempts === attempt),
        { timeoutMs: 20_000, what: `try ${attempt}` },
      );
      const worker = processOf(running.worker_id);
      await started.mesh.child(worker).kill();
      started.mesh.child(worker).start();
      await started.mesh.waitForService(worker);
    }
    const told = (await events).filter(({ state }) => state === 'FAILED');
    expect(told).toHaveLength(1);
    expect(await runsWith(mark)).toMatchObject([{ state: 'FAILED', attempts: 3, code: 'run.worker_lost' }]);
    expect((await getExecution(mesh.admin, id)).error).toMatchObject({ code: 'WORKER_LOST' });
    await untilNoBackend(mesh, mark);
  });
});

describe('1,000 equal questions at two gateways and two orchestrators', () => {
  test('are one run at the source and 1,000 answers, although the worker that runs it is lost', async () => {
    // Long enough for all to have asked meanwhile, on a busy machine too.
    const { text, mark } = slowQuery(8_000);
    const clients = [0, 1].map((gateway) => mesh.admin.at(mesh.address(gateway)));
    const asked = Array.from({ length: 1_000 }, (_, index) => {
      const client = clients[index % 2];
      if (!client) throw new Error('there are two gateways');
      return run(client, postgresId, text, { waitSeconds: 40 });
    });
    await untilBackend(mesh, mark);
    const [running] = await until(async () => {
      const rows = await runsWith(mark);
      return rows[0]?.state === 'RUNNING' && (await callersOf(mark)) >= 950 ? rows : undefined;
    });
    await Promise.all([
      started.mesh.child(processOf(running?.worker_id)).kill(),
      started.mesh.child('orchestrator').kill(),
    ]);
    started.mesh.child(processOf(running?.worker_id)).start();
    started.mesh.child('orchestrator').start();
    const answered = await Promise.allSettled(asked);
    // A question that the lost orchestrator had taken may have come to nothing; then it was told so, and none is left waiting.
    const executions = answered.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    expect(executions.length).toBeGreaterThan(900);
    const ended = await Promise.all(executions.map(({ id }) => untilFinal(mesh.admin, id, 60_000)));
    expect(new Set(ended.map(({ state }) => state))).toEqual(new Set(['SUCCEEDED']));
    expect(await runsWith(mark)).toMatchObject([{ state: 'SUCCEEDED', attempts: 2 }]);
    await started.mesh.waitForService('orchestrator');
  });
});

describe('A cancel', () => {
  test('ends the statement at the source within 2 s although its worker stands still', async () => {
    const { text, mark } = endlessQuery();
    const { id } = await run(mesh.admin, postgresId, text);
    await untilBackend(mesh, mark);
    await untilRunning(mesh.admin, id);
    const worker = started.mesh.child(processOf((await runsWith(mark))[0]?.worker_id));
    worker.signal('SIGSTOP');
    try {
      await cancel(mesh.admin, id);
      // The session stays for a moment, in a transaction that does nothing any more: its client does not read.
      await until(async () => !(await isActive(mark)), { timeoutMs: 2_000, what: 'the end of the statement' });
      expect(await untilFinal(mesh.admin, id, 5_000)).toMatchObject({ state: 'CANCELED' });
    } finally {
      worker.signal('SIGCONT');
    }
  });
});
