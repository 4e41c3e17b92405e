import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { authRequests, metadataRequests, type SavedQuery, type SourceConnection, type WarmUp } from '#libs/contracts';
import type { Principal } from '#libs/identity';
import { AppError, newId } from '#libs/kernel';
import { startPostgres, until, type PostgresServer } from '#libs/testing';
import { openDatabase } from '../../test/data-source.js';
import {
  answerAround,
  newPrincipal,
  newSource,
  startOrchestrator,
  submitSql,
  TestWorker,
  type Orchestrator,
} from '../../test/orchestrator-harness.js';
import { clear } from '../../test/orchestrator-suite.js';
import { askForWarmUp, WarmUpRepository } from './warm-up.repository.js';

let server: PostgresServer;
let dataSource: DataSource;
let orchestrator: Orchestrator;
let principal: Principal;
let source: SourceConnection;
let queries: Map<string, SavedQuery>;

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
  queries = new Map();
  start();
});

function start(overrides: Parameters<typeof startOrchestrator>[1] = {}): void {
  orchestrator = startOrchestrator(dataSource, { cache: { ...defaults, warmUpDelaySeconds: 0 }, ...overrides });
  const { bus } = orchestrator;
  answerAround(bus, source);
  bus.answer(metadataRequests.listWarmUps, ({ afterId, limit }) => {
    const later = [...queries.values()].filter(({ id }) => id > afterId);
    return { warmUps: later.slice(0, limit).map(warmUpOf) };
  });
  bus.answer(authRequests.actFor, ({ userId, workspaceId }) => ({ accessToken: tokenOf(userId, workspaceId) }));
  bus.answer(metadataRequests.resolveRunnable, ({ subject }) => ({
    source,
    savedQuery: queries.get(subject.value ?? ''),
    revision: 1,
  }));
}

const defaults = { adhocTtlSeconds: 300, savedTtlSeconds: 86_400, ttlMaxSeconds: 86_400, warmUpMax: 100 };

const tokenOf = (userId: string, workspaceId: string): string => [userId, workspaceId, newId('request')].join(' ');

/** Who has changed the query last. */
const owner = newId('user');
const warmUpOf = ({ id, dataSourceId, tags }: SavedQuery): WarmUp => {
  return { savedQueryId: id, dataSourceId, tags, userId: owner };
};

let madeAtMs = Date.now();
function choose(sql: string, part: Partial<SavedQuery> = {}): SavedQuery {
  const query: SavedQuery = {
    ...{ id: newId('savedQuery', (madeAtMs += 1)), dataSourceId: source.id, name: sql, sql, parameters: [], tags: [] },
    ...{ version: 1, createdAt: new Date(), updatedAt: new Date(), ...part },
  };
  queries.set(query.id, query);
  return query;
}

type Invalidation = Partial<Parameters<Orchestrator['cache']['invalidate']>[0]>;
const invalidate = (named: Invalidation): Promise<number> =>
  orchestrator.cache.invalidate({ dataSourceIds: [], savedQueryIds: [], tags: [], tables: [], ...named }, principal);
const warmUp = (): Promise<void> => orchestrator.warmUps.runDue(new AbortController().signal);
const all = () => ({ dataSourceIds: [source.id] });

interface Asked {
  sql: string;
  class: number;
  caller_id: string;
  cache_status: string;
}
const asked = (): Promise<Asked[]> =>
  dataSource.query(
    `select r.sql, e.class, e.caller_id, e.cache_status from orchestrator.execution e
     join orchestrator.run r on r.id = e.run_id order by r.sql, e.submitted_at`,
  );
const askedSql = async (): Promise<string[]> => (await asked()).map(({ sql }) => sql);
const waiting = async (): Promise<number> =>
  (await dataSource.query<unknown[]>('select 1 from orchestrator.warm_up')).length;
const makeDue = (): Promise<unknown> => dataSource.query(`update orchestrator.warm_up set due_at = now()`);

async function finishAll(): Promise<void> {
  const worker = new TestWorker(orchestrator);
  const runs: { id: string }[] = await dataSource.query(
    `update orchestrator.run set state = 'DISPATCHED', fence = 1, dispatched_at = now()
     where state = 'QUEUED' returning id`,
  );
  for (const { id } of runs.flat()) {
    if (typeof id !== 'string') continue;
    await worker.claim({ runId: id, fence: 1 });
    await worker.succeed({ runId: id, fence: 1 });
  }
}

describe('an invalidation', () => {
  it('has the chosen queries asked again that it concerns, as their owner and behind all others', async () => {
    choose('select 1');
    await invalidate(all());
    await warmUp();
    expect(await asked()).toEqual([{ sql: 'select 1', class: 3, caller_id: owner, cache_status: 'MISS' }]);
    expect(await waiting()).toBe(0);
  });

  it.each([
    ['a tag', (): Invalidation => ({ tags: ['Daily'] }), ['select 1']],
    ['a query', (): Invalidation => ({ savedQueryIds: [[...queries.keys()][1] ?? ''] }), ['select 2']],
    ['another source', (): Invalidation => ({ dataSourceIds: [newId('dataSource')] }), []],
    ['another tag', (): Invalidation => ({ tags: ['hourly'] }), []],
  ])('of %s concerns those alone that stand on it', async (_what, named, expected) => {
    choose('select 1', { tags: ['daily'] });
    choose('select 2');
    await invalidate(named());
    await warmUp();
    expect(await askedSql()).toEqual(expected);
  });

  it('of a table runs again what reads it, and nothing that was kept without it', async () => {
    choose('select 1 from orders');
    choose('select 2 from customers');
    await invalidate(all());
    await warmUp();
    await finishAll();
    await invalidate({ tables: [{ dataSourceId: source.id, table: { name: 'orders' } }] });
    await warmUp();
    const runs: { sql: string; n: number }[] = await dataSource.query(
      'select sql, count(*)::int as n from orchestrator.run group by sql order by sql',
    );
    expect(runs).toEqual([
      { sql: 'select 1 from orders', n: 2 },
      { sql: 'select 2 from customers', n: 1 },
    ]);
  });

  it('makes one warm-up of many that come together', async () => {
    choose('select 1');
    for (let times = 0; times < 20; times += 1) await invalidate({ ...all(), tags: [`t${times}`] });
    expect(await waiting()).toBe(1);
    await warmUp();
    expect(await askedSql()).toEqual(['select 1']);
  });

  it('has no more asked at once than is set, and the others afterwards', async () => {
    for (let n = 0; n < 5; n += 1) choose(`select ${n}`);
    start({ cache: { ...defaults, warmUpDelaySeconds: 0, warmUpMax: 2 } });
    await invalidate(all());
    for (const askedInAll of [2, 4, 5]) {
      await makeDue();
      // The second time nothing is due.
      await warmUp();
      await warmUp();
      expect(await askedSql()).toHaveLength(askedInAll);
    }
    expect(await waiting()).toBe(0);
  });

  it('has all asked that it concerns, however many others are chosen', async () => {
    const elsewhere = newId('dataSource');
    for (let n = 0; n < 2_100; n += 1) choose(`select ${n}`, { dataSourceId: elsewhere });
    choose('select 1');
    await invalidate(all());
    await warmUp();
    expect([await askedSql(), await waiting()]).toEqual([['select 1'], 0]);
  });

  it('has nothing asked where none is set, also not what waits from before', async () => {
    choose('select 1');
    await invalidate(all());
    start({ cache: { ...defaults, warmUpMax: 0 } });
    await warmUp();
    expect([await askedSql(), await waiting()]).toEqual([[], 0]);
    await invalidate(all());
    expect(await waiting()).toBe(0);
  });

  it('that is rolled back leaves no warm-up', async () => {
    await expect(invalidate({ tags: ['x'.repeat(2_000)] })).rejects.toMatchObject({ code: 'input.too_large' });
    expect(await waiting()).toBe(0);
  });
});

describe('a warm-up', () => {
  it('outlives the orchestrator that had begun it', async () => {
    choose('select 1');
    await invalidate(all());
    orchestrator.bus.answer(metadataRequests.listWarmUps, () => new Promise(() => undefined));
    void warmUp();
    await expect.poll(() => leased()).toBe(1);
    start();
    await warmUp();
    expect(await askedSql()).toEqual([]);
    await dataSource.query(`update orchestrator.warm_up set leased_until = now()`);
    await warmUp();
    expect(await askedSql()).toEqual(['select 1']);
  });

  it('takes nothing of what its owner may begin and use', async () => {
    for (let n = 0; n < 4; n += 1) choose(`select ${n}`);
    start({
      allowance: { runsPerMinute: 1, userExecutions: 1, userRows: 3, workspaceRows: 1_000 },
      cache: { ...defaults, warmUpDelaySeconds: 0 },
    });
    await invalidate(all());
    await warmUp();
    await finishAll();
    expect([(await askedSql()).length, await waiting()]).toEqual([4, 0]);
    const used: unknown[] = await dataSource.query(
      `select user_id, sum(executions)::int as n, sum(rows)::int as rows from orchestrator.used_today group by user_id`,
    );
    expect(used).toEqual([{ user_id: '', n: 4, rows: 12 }]);
    await submitSql(orchestrator, { ...principal, userId: owner }, source, 'select 5');
    expect(await askedSql()).toHaveLength(5);
  });

  it('goes on later where its workspace may begin no more runs now, without asking twice', async () => {
    for (let n = 0; n < 4; n += 1) choose(`select ${n}`);
    start({ allowance: { workspaceExecutions: 3 }, cache: { ...defaults, warmUpDelaySeconds: 0 } });
    await invalidate(all());
    await warmUp();
    expect(await askedSql()).toHaveLength(3);
    expect(await waiting()).toBe(1);
    start();
    await makeDue();
    await warmUp();
    expect(await askedSql()).toEqual(['select 0', 'select 1', 'select 2', 'select 3']);
    expect(await waiting()).toBe(0);
  });

  it('begins anew where more was invalidated while it was under way', async () => {
    choose('select 1');
    await invalidate(all());
    orchestrator.bus.answer(metadataRequests.listWarmUps, async () => {
      if ((await askedSql()).length === 0) await invalidate({ tags: ['x'] });
      return { warmUps: [...queries.values()].map(warmUpOf) };
    });
    await warmUp();
    expect((await asked()).map(({ cache_status }) => cache_status)).toEqual(['MISS', 'SHARED']);
    expect(await waiting()).toBe(0);
  });

  it('that ends while an invalidation commits leaves that one to be taken up at once', async () => {
    const repository = new WarmUpRepository(dataSource);
    await invalidate(all());
    const due = await repository.claim();
    if (!due) throw new Error('nothing is due');
    const runner = dataSource.createQueryRunner();
    await runner.startTransaction();
    const wish = { subjects: [], delaySeconds: 0 };
    await askForWarmUp(runner.manager, principal.workspaceId, String(Number(due.revision) + 1), wish);
    const finishing = repository.finish(due);
    await until(async () => (await dataSource.query('select 1 from pg_locks where not granted')).length > 0);
    await runner.commitTransaction();
    await runner.release();
    await finishing;
    expect([await waiting(), await leased()]).toEqual([1, 0]);
  });

  it('answers a dashboard, also where its source allows less time than is usual', async () => {
    source = newSource(principal.workspaceId, { timeoutSeconds: 20 });
    start();
    const query = choose('select 1');
    await invalidate(all());
    await warmUp();
    await submitSql(orchestrator, principal, source, 'ignored', {
      query: { case: 'savedQuery', value: { id: query.id } },
      priority: 'DASHBOARD',
    });
    expect((await asked()).map(({ cache_status }) => cache_status)).toEqual(['MISS', 'SHARED']);
  });

  it.each(['internal', 'secret.unreadable', 'auth.token_expired', 'source.unavailable', 'bus.timeout'] as const)(
    'comes back to what has failed with %s, and asks the rest meanwhile where that may be',
    async (code) => {
      const [failing] = [choose('select 1'), choose('select 2')];
      const { bus } = orchestrator;
      bus.answer(metadataRequests.resolveRunnable, ({ subject }) => {
        if (subject.value === failing.id) throw new AppError(code, 'It passes.');
        return { source, savedQuery: queries.get(subject.value ?? ''), revision: 1 };
      });
      await invalidate(all());
      await warmUp();
      expect([await askedSql(), await waiting()]).toEqual([code === 'bus.timeout' ? [] : ['select 2'], 1]);
      start();
      await makeDue();
      await warmUp();
      expect([await askedSql(), await waiting()]).toEqual([['select 1', 'select 2'], 0]);
    },
  );

  it('asks anew for a right to act that it was not given, and for one that has expired', async () => {
    for (let n = 0; n < 4; n += 1) choose(`select ${n}`);
    const given: string[] = [];
    let timesAsked = 0;
    orchestrator.bus.answer(authRequests.actFor, ({ userId, workspaceId }) => {
      timesAsked += 1;
      if (timesAsked === 1) throw new AppError('internal', 'It passes.');
      given.push(tokenOf(userId, workspaceId));
      return { accessToken: given.at(-1) ?? '' };
    });
    orchestrator.bus.answer(metadataRequests.resolveRunnable, ({ subject }) => {
      const savedQuery = queries.get(subject.value ?? '');
      if (savedQuery?.sql === 'select 1') for (const token of given) orchestrator.expiredTokens.add(token);
      return { source, savedQuery, revision: 1 };
    });
    await invalidate(all());
    await warmUp();
    expect([await askedSql(), await waiting(), timesAsked]).toEqual([['select 1', 'select 2', 'select 3'], 1, 3]);
    await makeDue();
    await warmUp();
    expect([(await askedSql()).length, await waiting()]).toEqual([4, 0]);
  });

  it('shares what somebody has asked for meanwhile', async () => {
    const query = choose('select 1');
    await invalidate(all());
    await warmUp();
    await submitSql(orchestrator, principal, source, 'ignored', {
      query: { case: 'savedQuery', value: { id: query.id } },
    });
    expect((await asked()).map(({ cache_status }) => cache_status)).toEqual(['MISS', 'SHARED']);
  });

  it('passes over what is refused, such as a query without its parameter or without its owner', async () => {
    choose('select {{ n | int }}');
    choose('select 1');
    await invalidate(all());
    await warmUp();
    expect(await askedSql()).toEqual(['select 1']);
    orchestrator.bus.answer(authRequests.actFor, () => {
      throw new AppError('auth.user_not_found', 'There is no such user.');
    });
    await invalidate(all());
    await warmUp();
    expect([await askedSql(), await waiting()]).toEqual([['select 1'], 0]);
  });

  it('that could not be done within an hour is given up', async () => {
    choose('select 1');
    await invalidate(all());
    await dataSource.query(`update orchestrator.warm_up set asked_at = now() - interval '2 hours'`);
    await warmUp();
    expect([await askedSql(), await waiting()]).toEqual([[], 0]);
  });
});

async function leased(): Promise<number> {
  const rows: unknown[] = await dataSource.query('select 1 from orchestrator.warm_up where leased_until is not null');
  return rows.length;
}
