import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { metadataRequests, type Execution, type SourceConnection } from '#libs/contracts';
import type { Principal } from '#libs/identity';
import { AppError, newId } from '#libs/kernel';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { openDatabase } from '../../test/data-source.js';
import {
  answerAround,
  newConfig,
  newContext,
  newPrincipal,
  newSource,
  startOrchestrator,
  submitSql,
  TestWorker,
  type Orchestrator,
} from '../../test/orchestrator-harness.js';
import { clear, laneFaults } from '../../test/orchestrator-suite.js';
import { MetadataClient } from '../source/metadata.client.js';
import { QuotaRepository } from './quota.repository.js';
import { QuotaService } from './quota.service.js';

let server: PostgresServer;
let dataSource: DataSource;
let orchestrator: Orchestrator;
let principal: Principal;
let source: SourceConnection;

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
  principal = newPrincipal();
  source = newSource(principal.workspaceId);
  start({});
});

type Overrides = Parameters<typeof startOrchestrator>[1];

function start(overrides: Overrides): void {
  orchestrator = startOrchestrator(dataSource, overrides);
  answerAround(orchestrator.bus, source);
  orchestrator.bus.answer(metadataRequests.getWorkspaceSettings, () => ({}));
}

const ask = (text: string, who = principal, more = {}) => submitSql(orchestrator, who, source, text, more);

async function refusal(work: Promise<Execution>): Promise<AppError> {
  const error: unknown = await work.then(
    () => undefined,
    (err: unknown) => err,
  );
  if (!(error instanceof AppError)) throw new Error(`expected a refusal, not ${String(error)}`);
  return error;
}

/** Runs a question to its end, with 3 rows of 30 bytes. */
async function run(text: string): Promise<Execution> {
  const worker = new TestWorker(orchestrator);
  await worker.announce(1);
  const execution = await ask(text);
  await worker.claim({ runId: execution.runId, fence: 1 });
  await worker.succeed({ runId: execution.runId, fence: 1 });
  await worker.announce(0);
  return execution;
}

async function countOf(table: string): Promise<number> {
  const [row]: { n: string }[] = await dataSource.query(`select count(*) as n from orchestrator.${table}`);
  return Number(row?.n);
}

describe('the pace of runs', () => {
  it('lets exactly 60 of 100 begin that a user asks at once, and tells the others when to come back', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 100 }, (_, n) => ask(`select ${n}`)));
    const begun = outcomes.filter(({ status }) => status === 'fulfilled');
    // The bucket fills up again meanwhile, by one a second.
    expect(begun.length).toBeGreaterThanOrEqual(60);
    expect(begun.length).toBeLessThanOrEqual(63);
    expect(await countOf('run')).toBe(begun.length);
    expect(await refusal(ask('select 101'))).toMatchObject({
      code: 'run.rate_limited',
      retryable: true,
      retryAfterSeconds: 1,
    });
    expect(await laneFaults(dataSource)).toEqual([]);
  });

  it('is each user’s own', async () => {
    start({ allowance: { runsPerMinute: 1 } });
    await ask('select 1');
    expect((await refusal(ask('select 2'))).retryAfterSeconds).toBeGreaterThan(50);
    await ask('select 3', newPrincipal({ workspaceId: principal.workspaceId }));
  });

  it('is one for all guests of a service account, as are their lane and quota', async () => {
    start({ allowance: { runsPerMinute: 1, userExecutions: 1 } });
    const account = newId('serviceAccount');
    const newGuest = (mintedById = account): Principal => {
      const guest = { mintedById, parameters: {}, attributes: {}, timeZone: undefined, locale: undefined };
      return newPrincipal({ userId: newId('guest'), workspaceId: principal.workspaceId, guest });
    };
    const first = newGuest();
    const { id } = await ask('select 1', first);
    expect((await orchestrator.executions.get(id, first)).submittedById).toBe(first.userId);
    expect((await refusal(ask('select 2', newGuest()))).code).toBe('run.rate_limited');
    await ask('select 2', newGuest(newId('serviceAccount')));
    const lanes: { user_id: string }[] = await dataSource.query('select user_id from orchestrator.lane');
    expect(lanes.map((lane) => lane.user_id)).toContain(account);
    const byAccount = newPrincipal({ userId: account, workspaceId: principal.workspaceId });
    expect((await refusal(ask('select 3', byAccount))).code).toBe('run.rate_limited');
    const quotas = new QuotaService(
      new QuotaRepository(dataSource),
      new MetadataClient(orchestrator.bus.asClient()),
      newConfig({}),
    );
    expect(await quotas.quotasOf(first, newContext(first))).toEqual([]);
    const used = await quotas.quotasOf(byAccount, newContext(byAccount));
    expect(used.find(({ scope, kind }) => scope === 'USER' && kind === 'EXECUTIONS')?.used).toBe(1);
  });

  it('counts neither kept nor shared answers, and holds up none of them', async () => {
    start({ allowance: { runsPerMinute: 2 } });
    await run('select 1');
    await ask('select 2');
    for (let n = 0; n < 5; n += 1) {
      expect(await ask('select 1')).toMatchObject({ cacheStatus: 'HIT' });
      expect(await ask('select 2')).toMatchObject({ cacheStatus: 'SHARED' });
    }
    expect((await refusal(ask('select 3'))).code).toBe('run.rate_limited');
  });

  it('answers by an older result all the same, whose refresh is left out', async () => {
    start({ allowance: { runsPerMinute: 1 } });
    const { runId } = await run('select 1');
    await dataSource.query(`update orchestrator.run set claimed_at = claimed_at - interval '1 h'`);
    const cache = { maxAgeSeconds: 60, staleWhileRevalidateSeconds: 86_400 };
    expect(await ask('select 1', principal, { cache })).toMatchObject({ cacheStatus: 'STALE', runId });
    expect(await countOf('run')).toBe(1);
    expect(await laneFaults(dataSource)).toEqual([]);
  });
});

describe('the depth of the queue', () => {
  it('of a workspace is refused beyond its limit, at once and with a time to come back, and leaves the others alone', async () => {
    start({ queue: { workspaceDepthMax: 5 } });
    for (let n = 0; n < 5; n += 1) await ask(`select ${n}`);
    const refused = await refusal(ask('select 6'));
    expect(refused).toMatchObject({ code: 'run.queue_full', retryable: true });
    expect(refused.retryAfterSeconds).toBeGreaterThanOrEqual(1);
    expect(refused.retryAfterSeconds).toBeLessThanOrEqual(60);
    expect(await countOf('run')).toBe(5);
    const other = newPrincipal();
    const theirs = newSource(other.workspaceId);
    answerAround(orchestrator.bus, theirs);
    await submitSql(orchestrator, other, theirs, 'select 1');
    expect(await laneFaults(dataSource)).toEqual([]);
  });

  it('of all is refused beyond its limit, but for who needs not wait', async () => {
    start({ queue: { depthMax: 3 } });
    for (let n = 0; n < 3; n += 1) await ask(`select ${n}`, newPrincipal({ workspaceId: principal.workspaceId }));
    expect((await refusal(ask('select 4'))).code).toBe('run.queue_full');
    // What waits is held up by its source alone.
    await dataSource.query('update orchestrator.source set max_concurrent_executions = 1');
    const worker = new TestWorker(orchestrator);
    await worker.announce(4);
    await orchestrator.dispatch.fill('default', 32);
    await ask('select 5');
    expect((await refusal(ask('select 6'))).code).toBe('run.queue_full');
    const other = newPrincipal();
    const theirs = newSource(other.workspaceId);
    answerAround(orchestrator.bus, theirs);
    await submitSql(orchestrator, other, theirs, 'select 1');
    expect(orchestrator.jobs).toHaveLength(1);
  });
});

describe('quotas', () => {
  const quotasOf = async (overrides: Overrides, who = principal) => {
    const metadata = new MetadataClient(orchestrator.bus.asClient());
    const service = new QuotaService(new QuotaRepository(dataSource), metadata, newConfig(overrides));
    const quotas = await service.quotasOf(who, newContext(who));
    return Object.fromEntries(quotas.map(({ scope, kind, limit, used }) => [`${scope} ${kind}`, [used, limit]]));
  };

  it('of executions end a user’s runs of a day, exactly at their limit', async () => {
    start({ allowance: { userExecutions: 2 } });
    await Promise.allSettled(Array.from({ length: 10 }, (_, n) => ask(`select ${n}`)));
    expect(await countOf('run')).toBe(2);
    const refused = await refusal(ask('select 11'));
    expect(refused).toMatchObject({ code: 'run.quota_exceeded', retryable: true });
    expect(refused.retryAfterSeconds).toBeLessThanOrEqual(86_400);
    await ask('select 12', newPrincipal({ workspaceId: principal.workspaceId }));
    await dataSource.query(`update orchestrator.usage set day = day - 1`);
    await ask('select 13');
  });

  it('of a workspace hold over all of its users', async () => {
    start({ allowance: { workspaceExecutions: 2 } });
    await ask('select 1');
    await ask('select 2', newPrincipal({ workspaceId: principal.workspaceId }));
    const refused = await refusal(ask('select 3', newPrincipal({ workspaceId: principal.workspaceId })));
    expect(refused.code).toBe('run.quota_exceeded');
    expect(refused.publicMessage).toContain('workspace');
  });

  it('of the workspace itself win over the installation’s, and are told', async () => {
    const settings = { userQuotas: { executions: 1 }, workspaceQuotas: { rows: 9 }, durableHits: false, version: 2 };
    start({ allowance: { userExecutions: 100, workspaceRows: 1 } });
    orchestrator.bus.answer(metadataRequests.resolveRunnable, () => ({ source, settings, revision: 1 }));
    orchestrator.bus.answer(metadataRequests.getWorkspaceSettings, () => ({ settings }));
    await run('select 1');
    expect((await refusal(ask('select 2'))).code).toBe('run.quota_exceeded');
    await ask('select 3', newPrincipal({ workspaceId: principal.workspaceId }));
    expect(await quotasOf({ allowance: { userExecutions: 100, workspaceRows: 1 } })).toMatchObject({
      'USER EXECUTIONS': [1, 1],
      'WORKSPACE ROWS': [3, 9],
    });
  });

  it.each([
    ['rows', { userRows: 3 }, { userRows: 4 }],
    ['bytes', { workspaceBytes: 30 }, { workspaceBytes: 31 }],
    ['seconds', { userSeconds: 0 }, { userSeconds: 100 }],
  ])('of %s count what the runs have used', async (_kind, low, high) => {
    start({ allowance: high });
    await run('select 1');
    await ask('select 2');
    start({ allowance: low });
    expect((await refusal(ask('select 3'))).code).toBe('run.quota_exceeded');
  });

  it('tell what is used of them, of today alone', async () => {
    const overrides = { allowance: { userRows: 100, workspaceExecutions: 7 } };
    start(overrides);
    await run('select 1');
    await ask('select 2', newPrincipal({ workspaceId: principal.workspaceId }));
    expect(await quotasOf(overrides)).toMatchObject({
      'USER EXECUTIONS': [1, undefined],
      'USER ROWS': [3, 100],
      'WORKSPACE EXECUTIONS': [2, 7],
      'WORKSPACE BYTES': [30, undefined],
    });
    await dataSource.query(`update orchestrator.usage set day = day - 1`);
    await dataSource.query(`update orchestrator.spent set day = day - 1`);
    expect(await quotasOf(overrides)).toMatchObject({ 'USER ROWS': [0, 100], 'WORKSPACE EXECUTIONS': [0, 7] });
  });
});

describe('what is told of a waiting execution', () => {
  it('is its place in turn with others, and a wait by the runs that ended last', async () => {
    for (let n = 0; n < 10; n += 1) await ask(`select ${n}`);
    expect(await ask('select 10')).toMatchObject({ queuePosition: 11, estimatedWaitSeconds: undefined });
    const colleague = newPrincipal({ workspaceId: principal.workspaceId });
    expect(await ask('select 11', colleague)).toMatchObject({ queuePosition: 2 });
    const other = newPrincipal();
    const theirs = newSource(other.workspaceId);
    answerAround(orchestrator.bus, theirs);
    expect(await submitSql(orchestrator, other, theirs, 'select 1')).toMatchObject({ queuePosition: 2 });
    answerAround(orchestrator.bus, source);
    await new TestWorker(orchestrator).announce(2);
    await dataSource.query(
      `update orchestrator.run set state = 'SUCCEEDED', claimed_at = now() - interval '4 s', finished_at = now(),
         finished_xid = pg_current_xact_id(), finished_seq = 1
       where id = (select id from orchestrator.run order by submitted_at limit 1)`,
    );
    const { estimatedWaitSeconds } = await ask('select 12', colleague);
    expect(estimatedWaitSeconds).toBeCloseTo((4 / 2) * 5, 1);
  });
});
