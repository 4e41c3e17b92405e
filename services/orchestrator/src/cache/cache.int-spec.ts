import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  metadataRequests,
  type Execution,
  type RequestOf,
  type runRequests,
  type SavedQuery,
  type SourceConnection,
} from '#libs/contracts';
import type { Principal } from '#libs/identity';
import { newId } from '#libs/kernel';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { openDatabase } from '../../test/data-source.js';
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
import { clear } from '../../test/orchestrator-suite.js';

type CacheWish = RequestOf<typeof runRequests.submitExecution>['cache'];
type Invalidation = Partial<RequestOf<typeof runRequests.invalidateCache>>;

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
  worker = new TestWorker(orchestrator);
  await worker.announce(8);
});

const ask = (cache?: CacheWish, who: Principal = principal): Promise<Execution> =>
  submitSql(orchestrator, who, source, 'select 1', { cache });

const begin = ({ runId }: Execution): Promise<boolean> => worker.claim({ runId, fence: 1 });

async function end(execution: Execution): Promise<Execution> {
  expect(await worker.succeed({ runId: execution.runId, fence: 1 })).toBe(true);
  return execution;
}

/** A result of one run that is there to answer. */
async function kept(): Promise<Execution> {
  const execution = await ask();
  await begin(execution);
  return end(execution);
}

async function age({ runId }: Execution, seconds: number): Promise<void> {
  await dataSource.query(
    `update orchestrator.run set claimed_at = claimed_at - make_interval(secs => $2) where id = $1`,
    [runId, seconds],
  );
}

function invalidate(named: Invalidation, who: Principal = principal): Promise<number> {
  const nothing = { dataSourceIds: [], savedQueryIds: [], tags: [], tables: [] };
  return orchestrator.cache.invalidate({ ...nothing, ...named }, who);
}

describe('a kept result', () => {
  it('answers an equal question at once, whoever of the workspace asks, and says how old it is', async () => {
    const first = await kept();
    await age(first, 100);
    for (const who of [principal, newPrincipal({ workspaceId: principal.workspaceId })]) {
      const hit = await ask(undefined, who);
      expect(hit).toMatchObject({ cacheStatus: 'HIT', state: 'SUCCEEDED', version: 1, rows: 3, runId: first.runId });
      expect(hit).toMatchObject({ attempts: 0, startedAt: undefined, submittedById: who.userId });
      expect(hit.finishedAt?.getTime()).toBe(hit.submittedAt?.getTime());
      expect(Math.floor(hit.cacheAgeSeconds ?? 0)).toBe(100);
      expect(hit.cacheExpiresAt?.getTime()).toBeGreaterThan(Date.now());
    }
    expect(orchestrator.jobs).toHaveLength(1);
  });

  it('answers nothing for another workspace, another text, another version of the source', async () => {
    await kept();
    const stranger = newPrincipal();
    const theirs = newSource(stranger.workspaceId, { id: source.id });
    orchestrator.bus.answer(metadataRequests.resolveRunnable, () => ({
      source: { ...source, version: 2 },
      revision: 2,
    }));
    expect((await ask()).cacheStatus).toBe('MISS');
    expect((await submitSql(orchestrator, principal, source, 'select 2')).cacheStatus).toBe('MISS');
    orchestrator.bus.answer(metadataRequests.resolveRunnable, () => ({ source: theirs, revision: 1 }));
    expect((await ask(undefined, stranger)).cacheStatus).toBe('MISS');
  });

  it('answers only while it is as young as the caller wants, counted from when the source was read', async () => {
    const first = await kept();
    await age(first, 50);
    expect((await ask({ maxAgeSeconds: 60 })).cacheStatus).toBe('HIT');
    expect((await ask({ maxAgeSeconds: 40 })).cacheStatus).toBe('MISS');
  });

  it('of a run that failed or was canceled answers nobody', async () => {
    const first = await ask();
    await begin(first);
    await orchestrator.finish({
      runId: first.runId,
      fence: 1,
      outcome: {
        case: 'failed',
        value: { error: { code: 'run.query_failed', message: 'no', retryable: false }, transient: false },
      },
    });
    expect((await ask()).cacheStatus).toBe('MISS');
  });

  it('is told once in the order of final states, as every execution is', async () => {
    await kept();
    const start = await orchestrator.executions.listFinished({ limit: 10 }, principal);
    const hit = await ask();
    const { finished } = await orchestrator.executions.listFinished({ after: start.position, limit: 10 }, principal);
    expect(finished.map(({ execution }) => execution?.id)).toEqual([hit.id]);
  });

  it('answers a repeated call with the execution of the first', async () => {
    await kept();
    const call = () => submitSql(orchestrator, principal, source, 'select 1', { idempotencyKey: 'k' });
    expect((await call()).id).toBe((await call()).id);
  });
});

describe('no kept result', () => {
  const fresh = { maxAgeSeconds: 0 };

  it('is taken where the caller wants none: the question is run, and shared by equal ones that wait', async () => {
    const first = await kept();
    const again = await ask(fresh);
    const shared = await ask(fresh);
    expect([again.cacheStatus, shared.cacheStatus]).toEqual(['BYPASS', 'SHARED']);
    expect(again.runId).not.toBe(first.runId);
    expect(shared.runId).toBe(again.runId);
  });

  it('nor a run that reads its source already; those who come later wait for one run behind it', async () => {
    const running = await ask();
    await begin(running);
    const behind = await Promise.all([ask(fresh), ask(fresh), ask(fresh)]);
    expect(new Set(behind.map(({ runId }) => runId)).size).toBe(1);
    expect(behind[0]?.runId).not.toBe(running.runId);
    expect((await ask()).cacheStatus).toBe('SHARED');
  });
});

describe('a stale result', () => {
  const wish = { maxAgeSeconds: 60, staleWhileRevalidateSeconds: 600 };

  it('answers at once where that is allowed, and one run refreshes it, though nobody waits for it', async () => {
    const first = await kept();
    await age(first, 100);
    const [stale, second] = [await ask(wish), await ask(wish)];
    expect([stale.cacheStatus, second.cacheStatus]).toEqual(['STALE', 'STALE']);
    expect(stale).toMatchObject({ state: 'SUCCEEDED', runId: first.runId });
    expect(orchestrator.jobs).toHaveLength(2);
    const refresh = orchestrator.jobs[1];
    if (!refresh) throw new Error('nothing refreshes');
    expect(await dataSource.query('select keep from orchestrator.run where id = $1', [refresh.runId])).toEqual([
      { keep: true },
    ]);
    await worker.claim(refresh);
    await worker.succeed(refresh);
    expect(await ask(wish)).toMatchObject({ cacheStatus: 'HIT', runId: refresh.runId });
  });

  it('is none where it is older than even that', async () => {
    await age(await kept(), 700);
    expect((await ask(wish)).cacheStatus).toBe('MISS');
  });
});

describe('what was invalidated', () => {
  it('answers no more, and says how many results that were', async () => {
    await kept();
    expect(await invalidate({ dataSourceIds: [source.id] })).toBe(1);
    expect(await invalidate({ dataSourceIds: [source.id] })).toBe(0);
    expect((await ask()).cacheStatus).toBe('MISS');
  });

  it('is not filled again by a run that began before, nor is that run shared', async () => {
    const running = await ask();
    await begin(running);
    await invalidate({ dataSourceIds: [source.id] });
    const behind = await ask();
    expect(behind).toMatchObject({ cacheStatus: 'MISS' });
    expect(behind.runId).not.toBe(running.runId);
    await end(running);
    expect((await ask()).runId).toBe(behind.runId);
    await begin(behind);
    await end(behind);
    expect(await ask()).toMatchObject({ cacheStatus: 'HIT', runId: behind.runId });
  });

  it('is what a run that waits and begins after it may answer for', async () => {
    const waiting = await ask();
    await invalidate({ dataSourceIds: [source.id] });
    expect((await ask()).runId).toBe(waiting.runId);
    await begin(waiting);
    await end(waiting);
    expect((await ask()).cacheStatus).toBe('HIT');
  });

  it('is the workspace’s own: another’s invalidation concerns nobody else', async () => {
    await kept();
    expect(await invalidate({ dataSourceIds: [source.id] }, newPrincipal())).toBe(0);
    expect((await ask()).cacheStatus).toBe('HIT');
  });

  it.each([
    ['its saved query', (query: SavedQuery) => ({ savedQueryIds: [query.id] }), 'MISS'],
    ['one of its tags', () => ({ tags: ['daily'] }), 'MISS'],
    ['another tag', () => ({ tags: ['hourly'] }), 'HIT'],
    ['another saved query', () => ({ savedQueryIds: [newId('savedQuery')] }), 'HIT'],
  ] as const)('can be named by %s', async (_what, named, status) => {
    const savedQuery = newSavedQuery();
    orchestrator.bus.answer(metadataRequests.resolveRunnable, () => ({ source, savedQuery, revision: 1 }));
    const run = async (): Promise<Execution> => {
      const submitted = await orchestrator.submit.submit(
        { query: { case: 'savedQuery', value: { id: savedQuery.id } }, priority: 'DASHBOARD', queryOptions: [] },
        principal,
        newContext(principal),
      );
      return submitted.execution;
    };
    const first = await run();
    await begin(first);
    await end(first);
    expect((await run()).cacheStatus).toBe('HIT');
    await invalidate(named(savedQuery));
    expect((await run()).cacheStatus).toBe(status);
  });

  describe('by table', () => {
    const asked = (text: string): Promise<Execution> => submitSql(orchestrator, principal, source, text);
    const named = (name: string, schema?: string): Invalidation => ({
      tables: [{ dataSourceId: source.id, table: { name, schema } }],
    });
    const keptOf = async (text: string): Promise<Execution> => {
      const execution = await asked(text);
      await begin(execution);
      return end(execution);
    };

    it('ends what reads it, in whatever schema it may be, and nothing else', async () => {
      const [orders, archived, customers] = ['select 1 from orders', 'select 1 from archive.orders', 'select 1 from c'];
      for (const text of [orders, archived, customers]) await keptOf(text);
      expect(await invalidate(named('Orders', 'public'))).toBe(1);
      expect((await asked(archived)).cacheStatus).toBe('HIT');
      expect((await asked(customers)).cacheStatus).toBe('HIT');
      expect((await asked(orders)).cacheStatus).toBe('MISS');
      expect(await invalidate(named('orders'))).toBe(1);
      expect((await asked(archived)).cacheStatus).toBe('MISS');
    });

    it('is neither filled again nor shared by a run that reads it already', async () => {
      const running = await asked('select 1 from orders');
      await begin(running);
      await invalidate(named('orders', 'public'));
      const behind = await asked('select 1 from orders');
      expect(behind.runId).not.toBe(running.runId);
      await end(running);
      expect((await asked('select 1 from orders')).runId).toBe(behind.runId);
    });

    it('needs a name', async () => {
      await expect(invalidate(named(''))).rejects.toMatchObject({
        code: 'input.invalid',
        path: ['tables', '0', 'table', 'name'],
      });
    });
  });

  it('of a saved query ends also what was kept of the same words outside of it', async () => {
    const savedQuery = newSavedQuery();
    await kept();
    orchestrator.bus.answer(metadataRequests.resolveRunnable, () => ({ source, savedQuery, revision: 1 }));
    const run = async (): Promise<Execution> => {
      const { execution } = await orchestrator.submit.submit(
        { query: { case: 'savedQuery', value: { id: savedQuery.id } }, priority: 'DASHBOARD', queryOptions: [] },
        principal,
        newContext(principal),
      );
      return execution;
    };
    const first = await run();
    expect(first.cacheStatus).toBe('MISS');
    await begin(first);
    await end(first);
    await invalidate({ tags: [' Daily '] });
    expect((await run()).cacheStatus).toBe('MISS');
  });

  it.each([
    ['nothing', {}, 'input.invalid'],
    ['too much', { tags: Array.from({ length: 1_001 }, (_, index) => `t${index}`) }, 'input.too_large'],
    ['a name too long', { tags: ['x'.repeat(2_000)] }, 'input.too_large'],
  ])('has to be named: %s is refused', async (_what, named, code) => {
    await expect(invalidate(named)).rejects.toMatchObject({ code });
  });
});

it('a thousand equal questions at once are one run', async () => {
  const asked = await Promise.all(Array.from({ length: 1_000 }, () => ask()));
  expect(new Set(asked.map(({ runId }) => runId)).size).toBe(1);
  expect(asked.filter(({ cacheStatus }) => cacheStatus === 'MISS')).toHaveLength(1);
  expect(await dataSource.query('select count(*)::int as count from orchestrator.run')).toEqual([{ count: 1 }]);
});

function newSavedQuery(): SavedQuery {
  return {
    id: newId('savedQuery'),
    workspaceId: principal.workspaceId,
    dataSourceId: source.id,
    name: 'Revenue',
    sql: 'select 1',
    parameters: [],
    tags: ['daily'],
    version: 1,
    createdAt: new Date(),
    updatedAt: new Date(),
  } as SavedQuery;
}
