import { Queue } from 'bullmq';
import type { DataSource } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { runPlanCodec, type SourceConnection } from '#libs/contracts';
import type { Principal } from '#libs/identity';
import { RedisConnections } from '#libs/redis';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import { startPostgres, startRedis, until, type PostgresServer, type RedisServer } from '#libs/testing';
import { openDatabase } from '../../test/data-source.js';
import {
  answerAround,
  newConfig,
  newPrincipal,
  newSource,
  startOrchestrator,
  submitSql,
  sweep,
  TestWorker,
  type Orchestrator,
} from '../../test/orchestrator-harness.js';
import { clear, laneFaults, storedRun } from '../../test/orchestrator-suite.js';
import type { RunChanges } from '../run/run-changes.service.js';
import { DispatcherService } from './dispatcher.service.js';
import { runQueueName, runQueueOptions } from './run-queue.options.js';
import { RunQueueStore } from './run-queue.store.js';

let server: PostgresServer;
let redis: RedisServer;
let dataSource: DataSource;
let orchestrator: Orchestrator;
let principal: Principal;
let source: SourceConnection;

beforeAll(async () => {
  [server, redis] = await Promise.all([startPostgres(), startRedis()]);
  dataSource = await openDatabase(await server.createDatabase());
});

afterAll(async () => {
  await dataSource.destroy();
  await Promise.all([server.stop(), redis.stop()]);
});

beforeEach(async () => {
  await clear(dataSource);
  orchestrator = startOrchestrator(dataSource);
  principal = newPrincipal();
  source = newSource(principal.workspaceId);
  answerAround(orchestrator.bus, source);
});

async function activeRuns(of: Orchestrator = orchestrator): Promise<number> {
  const [row]: { n: string }[] = await dataSource.query(
    `select count(*) as n from orchestrator.run where state in ('DISPATCHED', 'RUNNING', 'CANCELING')`,
  );
  expect(of.jobs.length).toBeLessThanOrEqual(1_000);
  return Number(row?.n);
}

const fill = (of: Orchestrator = orchestrator) => of.dispatch.fill('default', 32);
const submitMany = (count: number, who = principal, more = {}) =>
  Promise.all(Array.from({ length: count }, (_, n) => submitSql(orchestrator, who, source, `select ${n}`, more)));

describe('dispatch', () => {
  it('never fills more than the slots of live workers, however many submit and dispatch at once', async () => {
    await new TestWorker(orchestrator).announce(3);
    await new TestWorker(orchestrator).announce(4);
    const dead = new TestWorker(orchestrator);
    await dead.announce(50);
    await dataSource.query(`update orchestrator.worker set heartbeat_at = now() - interval '1 h' where id = $1`, [
      dead.id,
    ]);
    const others = [startOrchestrator(dataSource), startOrchestrator(dataSource)];
    await Promise.all([submitMany(60), ...others.flatMap((each) => Array.from({ length: 20 }, () => fill(each)))]);
    await fill();
    expect(await activeRuns()).toBe(7);
    expect(await laneFaults(dataSource)).toEqual([]);
  });

  it('looks again only where it has left a slot', async () => {
    await submitMany(5);
    await new TestWorker(orchestrator).announce(2);
    expect(await fill()).toMatchObject({ dispatched: [{}, {}], hasMore: false });
    await new TestWorker(orchestrator).announce(2);
    expect(await orchestrator.dispatch.fill('default', 1)).toMatchObject({ dispatched: [{}], hasMore: true });
    await new TestWorker(orchestrator).announce(3);
    // The source runs no more than five.
    expect(await fill()).toMatchObject({ dispatched: [{}, {}], hasMore: true });
    expect(await fill()).toMatchObject({ dispatched: [], hasMore: false });
  });

  it('never runs more of a source at once than its limit, and leaves the other slots to other sources', async () => {
    await new TestWorker(orchestrator).announce(10);
    source = newSource(principal.workspaceId, { maxConcurrentExecutions: 2 });
    answerAround(orchestrator.bus, source);
    await submitMany(20);
    await Promise.all(Array.from({ length: 10 }, () => fill()));
    expect(await activeRuns()).toBe(2);
    const other = newSource(principal.workspaceId, { maxConcurrentExecutions: 3 });
    answerAround(orchestrator.bus, other);
    await Promise.all(Array.from({ length: 6 }, (_, n) => submitSql(orchestrator, principal, other, `select ${n}`)));
    await fill();
    expect(await activeRuns()).toBe(5);
  });

  it('gives nothing to a worker that drains', async () => {
    const worker = new TestWorker(orchestrator);
    await worker.announce(2);
    await worker.announce(0);
    await submitMany(2);
    expect(await activeRuns()).toBe(0);
  });

  it('takes the more urgent first, and serves the lanes of one class in turn', async () => {
    const scheduled = await submitMany(2, principal, { priority: 'SCHEDULED' });
    const mine = await submitMany(2);
    const colleague = newPrincipal({ workspaceId: principal.workspaceId });
    const theirs = await submitSql(orchestrator, colleague, source, 'select 100');
    await new TestWorker(orchestrator).announce(5);
    const outcome = await fill();
    const order = outcome.kind === 'filled' ? outcome.dispatched.map(({ plan }) => plan.runId) : [];
    expect(order).toHaveLength(5);
    expect(new Set(order.slice(0, 2)).has(theirs.runId)).toBe(true);
    expect(new Set(order.slice(0, 3))).toEqual(new Set([...mine, theirs].map((each) => each.runId)));
    expect(new Set(order.slice(3))).toEqual(new Set(scheduled.map(({ runId }) => runId)));
  });

  it('passes over a paused source and takes it up again', async () => {
    await submitMany(2);
    const change = {
      workspaceId: source.workspaceId,
      dataSourceId: source.id,
      type: source.type,
      version: 2,
      maxConcurrentExecutions: 5,
      paused: true,
      deleted: false,
    };
    await orchestrator.sourceService.take(change, 'msg_1');
    await new TestWorker(orchestrator).announce(5);
    await fill();
    expect(await activeRuns()).toBe(0);
    await orchestrator.sourceService.take({ ...change, version: 3, paused: false }, 'msg_2');
    // An older change that comes late changes nothing.
    await orchestrator.sourceService.take(change, 'msg_3');
    await fill();
    expect(await activeRuns()).toBe(2);
  });

  it('never gives out, and the reaper ends, what was accepted while its source was being deleted', async () => {
    const [first] = await submitMany(1);
    await dataSource.query('update orchestrator.source set deleted = true');
    await new TestWorker(orchestrator).announce(5);
    await fill();
    expect(await activeRuns()).toBe(0);
    await sweep(orchestrator);
    expect(await orchestrator.executions.get(first?.id ?? '', principal)).toMatchObject({
      state: 'FAILED',
      error: { code: 'source.not_found' },
    });
  });

  it('ends what waits for a source that was deleted', async () => {
    const [first] = await submitMany(3);
    await orchestrator.sourceService.take(
      {
        workspaceId: source.workspaceId,
        dataSourceId: source.id,
        type: source.type,
        version: 2,
        maxConcurrentExecutions: 5,
        paused: false,
        deleted: true,
      },
      'msg_1',
    );
    expect(await orchestrator.executions.get(first?.id ?? '', principal)).toMatchObject({
      state: 'FAILED',
      error: { code: 'source.not_found', retryable: false },
    });
    expect(await laneFaults(dataSource)).toEqual([]);
  });
});

describe('a question that comes while somebody else takes slots', () => {
  /** Holds the lock of the pool until it is called, or the test ends. */
  async function holdPool(): Promise<() => Promise<void>> {
    const other = dataSource.createQueryRunner();
    await other.startTransaction();
    await other.query(`select orchestrator.try_lock_pool('default')`);
    const release = async (): Promise<void> => {
      if (other.isReleased) return;
      await other.commitTransaction();
      await other.release();
    };
    onTestFinished(release);
    return release;
  }

  const waitAtMost = (time: string) =>
    dataSource.query(`alter function orchestrator.lock_pool set lock_timeout = '${time}'`);
  const isWaitedFor = async (): Promise<boolean> => {
    const rows: unknown[] = await dataSource.query(
      `select from pg_locks where locktype = 'advisory' and not granted
       and database = (select oid from pg_database where datname = current_database())`,
    );
    return rows.length > 0;
  };

  it('waits for them, and takes a free slot with its insert', async () => {
    await waitAtMost('60s');
    onTestFinished(() => waitAtMost('20ms'));
    await new TestWorker(orchestrator).announce(1);
    const release = await holdPool();
    const asked = submitMany(1);
    await until(isWaitedFor);
    expect(orchestrator.jobs).toEqual([]);
    await release();
    const [{ runId } = {}] = await asked;
    expect(orchestrator.jobs).toMatchObject([{ runId }]);
  });

  it('goes into the queue where that takes long', async () => {
    await new TestWorker(orchestrator).announce(1);
    await holdPool();
    await submitMany(1);
    expect(orchestrator.jobs).toEqual([]);
    expect(await laneFaults(dataSource)).toEqual([]);
  });

  it('goes into the queue at once where no slot is free', async () => {
    await waitAtMost('60s');
    onTestFinished(() => waitAtMost('20ms'));
    await new TestWorker(orchestrator).announce(1);
    const first = await submitSql(orchestrator, principal, source, 'select 1');
    await holdPool();
    await submitSql(orchestrator, principal, source, 'select 2');
    expect(orchestrator.jobs).toMatchObject([{ runId: first.runId }]);
  });
});

describe('the depth of the queue', () => {
  it('is told by pool and priority, so that two pools do not pass for one', async () => {
    const metrics = new MetricsRegistry('orchestrator');
    const logger = AppLogger.create({ service: 'orchestrator', instance: 'o1', level: 'silent' });
    // Only what is told is asked of it: it is not started.
    const queue = {} as RunQueueStore;
    const changes: Pick<RunChanges, 'onQueueChanged'> = { onQueueChanged: () => undefined };
    void new DispatcherService(orchestrator.dispatch, queue, logger, newConfig(), changes as RunChanges, metrics);
    await submitMany(3);
    await dataSource.query(
      `insert into orchestrator.backlog (pool, workspace_id, source_id, class, queued)
       select 'other', workspace_id, source_id, class, 5 from orchestrator.backlog`,
    );
    const { body } = await metrics.expose();
    const series = body.matchAll(/^sluice_orchestrator_queue_runs\{.*pool="(\w+)",priority="(\w+)".*\} (\d+)$/gm);
    expect([...series].map(([, ...told]) => told.join(' ')).toSorted()).toEqual([
      'default INTERACTIVE 3',
      'other INTERACTIVE 5',
    ]);
  });
});

describe('the queue in Redis', () => {
  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => {
    redis.resume();
    for (const close of closers.splice(0).reverse()) await close();
  });

  function openQueue(): { queue: Queue; store: RunQueueStore } {
    const config = newConfig({ queue: { addTimeoutMs: 300 } });
    const logger = AppLogger.create({ service: 'orchestrator', instance: 'o1', level: 'silent' });
    const broker = { url: redis.url, username: undefined, password: undefined };
    const connections = new RedisConnections({ prefix: 'sluice', broker, session: broker, cache: broker }, logger);
    const queue = new Queue(runQueueName, runQueueOptions(config, connections));
    const store = new RunQueueStore(queue, config, logger, new MetricsRegistry('orchestrator'));
    closers.push(
      () => connections.close(),
      () => store.beforeApplicationShutdown(),
    );
    return { queue, store };
  }

  async function start(): Promise<Queue> {
    const { queue, store } = openQueue();
    await queue.waitUntilReady();
    await queue.obliterate({ force: true });
    orchestrator = startOrchestrator(dataSource, { queue: { unclaimedMs: 100 } }, store);
    answerAround(orchestrator.bus, source);
    await new TestWorker(orchestrator).announce(1);
    return queue;
  }

  const jobsOf = async (queue: Queue): Promise<string[]> => (await queue.getWaiting()).map(({ id }) => id ?? '');

  it('carries the plan as one job of the run and its fence', async () => {
    const queue = await start();
    const { runId } = await submitSql(orchestrator, principal, source, 'select 1');
    const job = await until(() => queue.getJob(`${runId}-1`));
    const data: unknown = job.data;
    expect(data).toEqual({ plan: expect.any(String) });
    const { plan } = data as { plan: string };
    expect(runPlanCodec.decode(Buffer.from(plan, 'base64'))).toMatchObject({ runId, fence: 1, sql: 'select 1' });
  });

  it('may lose a job: the run is dispatched again under a new fence, with the same version', async () => {
    const queue = await start();
    const { runId } = await submitSql(orchestrator, principal, source, 'select 1');
    await until(async () => (await jobsOf(queue)).length === 1);
    await queue.obliterate({ force: true });
    const dispatcher = orchestrator.newDispatcher();
    await until(async () => {
      await sweep(orchestrator, false);
      return (await jobsOf(queue)).includes(`${runId}-2`);
    });
    expect(await storedRun(dataSource, runId)).toMatchObject({
      state: 'DISPATCHED',
      fence: 2,
      version: 1,
      attempts: 0,
    });
    await dispatcher.onModuleDestroy();
  });

  it('may stand still: a question is answered all the same, and run once it goes on', async () => {
    const queue = await start();
    redis.pause();
    const begun = performance.now();
    const { runId } = await submitSql(orchestrator, principal, source, 'select 1');
    expect(performance.now() - begun).toBeLessThan(250);
    expect(await storedRun(dataSource, runId)).toMatchObject({ state: 'DISPATCHED' });
    redis.resume();
    const dispatcher = orchestrator.newDispatcher();
    await until(async () => {
      await sweep(orchestrator, false);
      return (await jobsOf(queue)).some((id) => id.startsWith(runId));
    });
    await dispatcher.onModuleDestroy();
  });
});
