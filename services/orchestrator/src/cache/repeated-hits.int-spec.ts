import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Execution, SourceConnection } from '#libs/contracts';
import type { Principal } from '#libs/identity';
import { newId } from '#libs/kernel';
import type { RevisionCopies, TokenBuckets } from '#libs/redis';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
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
import { QuestionRate } from '../allowance/question-rate.service.js';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { CacheMetrics } from './cache.metrics.js';
import { RepeatedHitsRepository, type HitToRepeat, type RepeatedHit } from './repeated-hits.repository.js';
import { RepeatedHitsService } from './repeated-hits.service.js';

let server: PostgresServer;
let dataSource: DataSource;
let orchestrator: Orchestrator;
let principal: Principal;
let source: SourceConnection;
let revision: number | undefined;
let service: RepeatedHitsService;
let hit: Execution;
/** What each caller has taken, and how many anyone may take. */
let taken: Map<string, number>;
let allowed: number;
/** Until then nothing is given back. */
let given: Promise<void> | undefined;
let metrics: MetricsRegistry;

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
  revision = 7;
  taken = new Map();
  allowed = 1_000;
  given = undefined;
  metrics = new MetricsRegistry('orchestrator');
  const buckets = {
    take: async (subject: string, _size: unknown, count: number) => {
      if (count < 0 && given) await given;
      const all = (taken.get(subject) ?? 0) + count;
      if (all > allowed) return 3;
      taken.set(subject, all);
      return 0;
    },
  } as unknown as TokenBuckets;
  const copies = { read: async () => revision } as unknown as RevisionCopies;
  service = new RepeatedHitsService(
    new RepeatedHitsRepository(dataSource),
    copies,
    new QuestionRate(buckets, { allowance: { questionsPerSecond: 1, questionsBurst: 1 } } as OrchestratorConfig),
    new CacheMetrics(metrics),
    AppLogger.create({ service: 'orchestrator', instance: 'o1', level: 'silent' }),
  );
  const worker = new TestWorker(orchestrator);
  await worker.announce(8);
  const { runId } = await submitSql(orchestrator, principal, source, 'select 1');
  await worker.claim({ runId, fence: 1 });
  await worker.succeed({ runId, fence: 1 });
  hit = await submitSql(orchestrator, principal, source, 'select 1');
  if (hit.cacheStatus !== 'HIT') throw new Error('there is no hit to repeat');
});

const repeatOf = (change: Partial<HitToRepeat> = {}): HitToRepeat => ({
  executionId: newId('execution'),
  workspaceId: principal.workspaceId,
  callerId: principal.userId,
  hitId: hit.id,
  revision: 7,
  ...change,
});

const held = (): number | undefined => taken.get(`${principal.workspaceId}/${principal.userId}`);

async function answered(): Promise<number> {
  const metric = await metrics.registry.getSingleMetric('sluice_orchestrator_cache_answers_total')?.get();
  return (metric?.values ?? []).reduce((sum, { value }) => sum + value, 0);
}

async function accepted(...repeats: HitToRepeat[]): Promise<boolean[]> {
  return (await service.repeat(repeats)).map((repeated: RepeatedHit) => repeated.accepted);
}

describe('a hit that is repeated', () => {
  it('is an execution of its own, the same but for its id and its time', async () => {
    const [one, other] = [repeatOf(), repeatOf({ traceId: 'ab'.repeat(16) })];
    expect(await accepted(one, other)).toEqual([true, true]);
    const made = await orchestrator.executions.get(one.executionId, principal);
    const traced = await orchestrator.executions.get(other.executionId, principal);
    const { submittedAt, finishedAt, cacheAgeSeconds, ...same } = hit;
    expect(made).toMatchObject({ ...same, id: one.executionId });
    expect(traced.traceId).toBe('ab'.repeat(16));
    expect(made.submittedAt?.getTime()).toBeGreaterThan(submittedAt?.getTime() ?? Infinity);
    expect(made.finishedAt).toEqual(made.submittedAt);
    expect(finishedAt).toBeDefined();
    expect(made.cacheAgeSeconds).toBeGreaterThan(cacheAgeSeconds ?? Infinity);
  });

  it('answers in the order of what was asked, the refused among the others', async () => {
    const strange = repeatOf({ hitId: newId('execution') });
    expect(await accepted(repeatOf(), strange, repeatOf({ revision: 6 }), repeatOf())).toEqual([
      ...[true, false, false, true],
    ]);
  });

  it('is refused once its result is invalidated, whatever a gateway still remembers', async () => {
    await orchestrator.cache.invalidate(
      { dataSourceIds: [source.id], savedQueryIds: [], tags: [], tables: [] },
      principal,
    );
    expect(await accepted(repeatOf())).toEqual([false]);
  });

  it('is refused once its result is too old', async () => {
    await dataSource.query(`update orchestrator.run set claimed_at = claimed_at - interval '1 day' where id = $1`, [
      hit.runId,
    ]);
    expect(await accepted(repeatOf())).toEqual([false]);
  });

  it('is refused where the workspace’s assets are newer than the hit, or nobody knows', async () => {
    revision = 8;
    expect(await accepted(repeatOf())).toEqual([false]);
    revision = undefined;
    expect(await accepted(repeatOf())).toEqual([false]);
  });

  it.each(['paused', 'deleted'])('is refused where its source is %s', async (column) => {
    await dataSource.query(`update orchestrator.source set ${column} = true where id = $1`, [source.id]);
    expect(await accepted(repeatOf())).toEqual([false]);
  });

  it('is refused where it is another workspace’s, or no hit at all', async () => {
    expect(await accepted(repeatOf({ workspaceId: newId('workspace') }))).toEqual([false]);
    const miss = await submitSql(orchestrator, principal, source, 'select 2');
    expect(await accepted(repeatOf({ hitId: miss.id }), repeatOf({ executionId: 'x' }))).toEqual([false, false]);
  });

  it.each([
    ['for newer assets', () => repeatOf({ revision: 1 })],
    ['as it is no hit', () => repeatOf({ hitId: newId('execution') })],
  ])(
    'counts as a question of its caller, unless it is refused %s, asked by itself and counted then',
    async (_why, other) => {
      expect(await accepted(repeatOf(), other(), repeatOf())).toEqual([true, false, true]);
      expect(held()).toBe(2);
    },
  );

  it('does not count where it cannot be recorded', async () => {
    const fault = new Error('the database is gone');
    vi.spyOn(RepeatedHitsRepository.prototype, 'repeat').mockRejectedValueOnce(fault);
    await expect(service.repeat([repeatOf(), repeatOf()])).rejects.toBe(fault);
    expect(held()).toBe(0);
  });

  it('is refused where its caller asks too fast, and not for those beside it that are outdated', async () => {
    allowed = 2;
    expect(await accepted(repeatOf(), repeatOf({ revision: 1 }), repeatOf())).toEqual([true, false, true]);
    expect(held()).toBe(2);
    expect(await accepted(repeatOf())).toEqual([false]);
    expect(await accepted(repeatOf({ revision: 1 }), repeatOf({ revision: 1 }))).toEqual([false, false]);
    expect(held()).toBe(2);
  });

  it('is refused to whom the hit does not belong', async () => {
    expect(await accepted(repeatOf({ callerId: newId('user') }))).toEqual([false]);
  });

  it('is refused as a whole where there are too many', async () => {
    const many = Array.from({ length: 1_001 }, () => repeatOf());
    await expect(service.repeat(many)).rejects.toMatchObject({ code: 'input.too_large' });
  });

  it('is recorded once, and answered the same, where its request comes twice', async () => {
    const request = [repeatOf(), repeatOf({ hitId: newId('execution') }), repeatOf()];
    const answer = await service.repeat(request);
    const ids = request.map(({ executionId }) => executionId);
    const made = await orchestrator.executions.getMany(ids, principal);
    expect(await service.repeat(request)).toEqual(answer);
    expect(await orchestrator.executions.getMany(ids, principal)).toEqual(made);
    await dataSource.query('update orchestrator.source set paused = true');
    expect(await service.repeat(request)).toEqual(answer);
  });

  it('counts once, however often its request comes, also where its caller may ask no more by then', async () => {
    const request = [repeatOf(), repeatOf({ hitId: newId('execution') }), repeatOf()];
    const answer = await service.repeat(request);
    expect([held(), await answered()]).toEqual([2, 2]);
    expect(await service.repeat(request)).toEqual(answer);
    expect([held(), await answered()]).toEqual([2, 2]);
    allowed = 2;
    expect(await service.repeat(request)).toEqual(answer);
    expect([held(), await answered()]).toEqual([2, 2]);
  });

  it.each([
    ['is newer', 8],
    ['is not known', undefined],
  ])('is answered as recorded also where the revision %s by the time its request comes again', async (_what, later) => {
    const request = [repeatOf(), repeatOf()];
    const answer = await service.repeat(request);
    revision = later;
    expect(await service.repeat([...request, repeatOf()])).toEqual([
      ...answer,
      { accepted: false, cacheAgeSeconds: 0 },
    ]);
    expect([held(), await answered()]).toEqual([2, 2]);
  });

  it('is answered though nobody can say whether the refused beside it were recorded before', async () => {
    vi.spyOn(RepeatedHitsRepository.prototype, 'find').mockRejectedValueOnce(new Error('the database is gone'));
    expect(await accepted(repeatOf(), repeatOf({ revision: 1 }))).toEqual([true, false]);
  });

  it('is recorded while the refused beside it are looked up, and nothing is where none is refused', async () => {
    const find = vi.spyOn(RepeatedHitsRepository.prototype, 'find');
    expect(await accepted(repeatOf(), repeatOf())).toEqual([true, true]);
    expect(find.mock.calls).toEqual([[[]]]);
    find.mockClear();
    const { repeat } = RepeatedHitsRepository.prototype;
    vi.spyOn(RepeatedHitsRepository.prototype, 'repeat').mockImplementationOnce(async function (
      this: RepeatedHitsRepository,
      hits,
    ) {
      await until(() => find.mock.calls.length > 0);
      return repeat.call(this, hits);
    });
    expect(await accepted(repeatOf(), repeatOf({ revision: 1 }))).toEqual([true, false]);
  });

  it('is answered before the tokens of others have been given back', async () => {
    given = new Promise(() => undefined);
    expect(await accepted(repeatOf(), repeatOf({ hitId: newId('execution') }))).toEqual([true, false]);
  });

  it('is answered as recorded where its request comes while the first is under way', async () => {
    const twice = repeatOf();
    const runner = dataSource.createQueryRunner();
    await runner.startTransaction();
    const first = await runner.query(
      `select submitted_at as "submittedAt", cache_age_seconds as "cacheAgeSeconds"
       from orchestrator.repeat_hits(array[$1], array[$2], array[$3], array[$4], array[null])`,
      [twice.executionId, twice.workspaceId, twice.callerId, twice.hitId],
    );
    const second = service.repeat([twice]);
    await until(async () => {
      const waiting: unknown[] = await dataSource.query(`select from pg_stat_activity where wait_event_type = 'Lock'`);
      return waiting.length > 0;
    });
    await runner.commitTransaction();
    await runner.release();
    expect(await second).toEqual([{ accepted: true, ...first[0] }]);
  });

  it('is found by its key also where nothing was known of the tables when the plan was made, however many share its run', async () => {
    const runner = dataSource.createQueryRunner();
    await runner.startTransaction();
    const request = repeatOf();
    const repeated = (executionId: string): Promise<unknown> =>
      runner.query('select orchestrator.repeat_hits(array[$1], array[$2], array[$3], array[$4], array[null])', [
        executionId,
        request.workspaceId,
        request.callerId,
        request.hitId,
      ]);
    const rowsRead = async (): Promise<number> => {
      const [{ read }] = await runner.query(
        `select seq_tup_read + idx_tup_fetch as read from pg_stat_xact_user_tables
         where schemaname = 'orchestrator' and relname = 'execution'`,
      );
      return Number(read);
    };
    await repeated(request.executionId);
    await runner.query(
      `insert into orchestrator.execution select (jsonb_populate_record(e, jsonb_build_object('id', 'other_' || n))).*
       from orchestrator.execution e, generate_series(1, 2000) n where e.id = $1`,
      [request.hitId],
    );
    const before = await rowsRead();
    await repeated(newId('execution'));
    expect((await rowsRead()) - before).toBeLessThan(20);
    await runner.rollbackTransaction();
    await runner.release();
  });

  it('leaves no row behind where it is refused', async () => {
    const refusedOne = repeatOf({ revision: 1 });
    await service.repeat([refusedOne]);
    expect(await orchestrator.executions.getMany([refusedOne.executionId], principal)).toEqual([]);
  });
});
