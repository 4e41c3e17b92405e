import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Column, RunState } from '#libs/contracts';
import { newId } from '#libs/kernel';
import type { PageStore } from '#libs/result-store';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import { startPostgres, testPoolingExtra, testPageStore, type PostgresServer } from '#libs/testing';
import { migrations } from '../database/migrations/migrations.js';
import { loadConfig } from '#libs/config';
import { ManifestRepository } from '../manifest/manifest.repository.js';
import { resultsConfig, type ResultsConfig } from '../results.config.js';
import { StoreIdentityService } from '../store/store-identity.service.js';
import { StoreRepository } from '../store/store.repository.js';
import { RunEndService } from '../writing/run-end.service.js';
import { WritingRepository } from '../writing/writing.repository.js';
import type { RunTry } from '../writing/writing.types.js';
import { RetentionMetrics } from './retention.metrics.js';
import { RetentionRepository } from './retention.repository.js';
import { RetentionService } from './retention.service.js';

const columns: Column[] = [{ name: 'n', type: 'INTEGER', nullable: false }];
const bytes = Buffer.from('a stored page');
const { signal } = new AbortController();
const twoDaysMs = 2 * 24 * 60 * 60 * 1_000;

/** As metadata tells it. */
const metadata = { own: [] as object[], listResultLimits: async () => metadata.own };

let server: PostgresServer;
let dataSource: DataSource;
let root: string;
let store: PageStore;
let writing: WritingRepository;
let retention: RetentionService;
let registry: MetricsRegistry;
let config: ResultsConfig;
let ends: RunEndService;

beforeAll(async () => {
  server = await startPostgres();
});

afterAll(async () => {
  await dataSource.destroy();
  await server.stop();
});

beforeEach(async () => {
  metadata.own = [];
  await (dataSource as DataSource | undefined)?.destroy();
  root = await mkdtemp(join(tmpdir(), 'sluice-retention-'));
  const url = await server.createDatabase();
  dataSource = await new DataSource({
    type: 'postgres',
    url,
    schema: 'results',
    migrations,
    extra: testPoolingExtra,
  }).initialize();
  await dataSource.query('create schema results');
  await dataSource.runMigrations();
  store = testPageStore(root);
  writing = new WritingRepository(dataSource);
  config = loadConfig(resultsConfig, {
    SLUICE_REDIS_URL: 'redis://127.0.0.1',
    SLUICE_DATABASE_URL: url,
    SLUICE_STORE_DIRECTORY: root,
    SLUICE_RESULTS_GRACE_SECONDS: '0',
  });
  retention = newRetention(config);
  ends = new RunEndService(writing, store, config);
  return () => rm(root, { recursive: true, force: true });
});

function newRetention(config: ConstructorParameters<typeof RetentionService>[5]): RetentionService {
  const logger = AppLogger.create({ service: 'results', instance: 'r1', level: 'silent' });
  const repository = new RetentionRepository(dataSource);
  registry = new MetricsRegistry('results');
  const metrics = new RetentionMetrics(registry, repository);
  return new RetentionService(repository, store, metadata as never, metrics, logger, config);
}

function newTry(fence = 1): RunTry {
  return { workspaceId: newId('workspace'), runId: newId('run'), fence };
}

async function commitPage(of: RunTry): Promise<void> {
  const { checksum } = await store.put({ ...of, page: 0 }, bytes);
  const page = { number: 0, firstRow: 0, rowCount: 4, byteCount: bytes.length, checksum };
  expect(await writing.addFirstPage({ ...of, page, columns })).toBeDefined();
}

async function sealPage(of: RunTry, ttlSeconds: number): Promise<void> {
  const seal = { ...of, columns, rowCount: 4, byteCount: 9, truncated: false, pageCount: 1, inline: undefined };
  expect(await writing.sealPages(seal, ttlSeconds)).toBeDefined();
}

async function sealInline(of: RunTry, ttlSeconds: number): Promise<void> {
  const seal = { ...of, columns, rowCount: 4, byteCount: 9, truncated: false, pageCount: 0, inline: bytes };
  expect(await writing.sealInline(seal, ttlSeconds)).toBeDefined();
}

async function stateOf({ runId, workspaceId }: RunTry): Promise<string | undefined> {
  const [found] = await new ManifestRepository(dataSource).find([runId], workspaceId, true);
  return found?.manifest.state;
}

async function storedFences(of: RunTry): Promise<string[]> {
  return readdir(join(root, of.workspaceId, of.runId)).catch(() => []);
}

async function count(table: string): Promise<number> {
  const [row]: { n: number }[] = await dataSource.query(`select count(*)::integer as n from results.${table}`);
  return row?.n ?? 0;
}

describe('an expired result', () => {
  it('loses its rows, its pages and its files, and is remembered as expired', async () => {
    const [over, overInline, kept] = [newTry(), newTry(), newTry()];
    await commitPage(over);
    await sealPage(over, -1);
    await sealInline(overInline, -1);
    await commitPage(kept);
    await sealPage(kept, 60);
    expect(await retention.expire(signal)).toBe(2);
    expect([await stateOf(over), await stateOf(overInline), await stateOf(kept)]).toEqual([
      'EXPIRED',
      'EXPIRED',
      'COMPLETE',
    ]);
    expect([await storedFences(over), await storedFences(kept)]).toEqual([[], ['1']]);
    expect(await count('page')).toBe(1);
    expect(await retention.expire(signal)).toBe(0);
  });

  it('takes no page and no seal any more', async () => {
    const over = newTry();
    await sealInline(over, -1);
    await retention.expire(signal);
    const page = { number: 0, firstRow: 0, rowCount: 1, byteCount: 1, checksum: createHash('sha256').digest() };
    expect(await writing.addFirstPage({ ...over, fence: 2, page, columns })).toBeUndefined();
  });

  it('is let go once, by whichever of several processes', async () => {
    const tries = Array.from({ length: 450 }, () => newTry());
    for (const each of tries) await sealInline(each, -1);
    const counts = await Promise.all([1, 2, 3].map(() => retention.expire(signal)));
    expect(counts.reduce((sum, each) => sum + each, 0)).toBe(tries.length);
  });

  it('that is a fence mark alone leaves nothing behind, long after any writer can come back', async () => {
    await writing.closeFence(newTry());
    await retention.expire(signal);
    expect(await count('manifest')).toBe(1);
    await dataSource.query(`update results.manifest set expires_at = expires_at - interval '31 days'`);
    await retention.expire(signal);
    expect(await count('manifest')).toBe(0);
  });

  it('of a run that is still writing is left alone, until no run can last that long', async () => {
    const open = newTry();
    await commitPage(open);
    await retention.expire(signal);
    expect(await stateOf(open)).toBe('WRITING');
    await dataSource.query(`update results.manifest set created_at = now() - interval '3 days'`);
    await retention.expire(signal);
    expect(await stateOf(open)).toBe('PARTIAL');
  });

  it('of a run that was fenced long before its last try began is left alone too', async () => {
    const retried = newTry(2);
    await writing.closeFence({ ...retried, fence: 1 });
    await dataSource.query(`update results.manifest set created_at = now() - interval '3 days'`);
    await commitPage(retried);
    await retention.expire(signal);
    expect(await stateOf(retried)).toBe('WRITING');
  });
});

/** Of a metric by the value of its label, or by none. */
async function told(name: string): Promise<Record<string, number>> {
  const metric = await registry.registry.getSingleMetric(`sluice_results_${name}`)?.get();
  return Object.fromEntries((metric?.values ?? []).map(({ labels, value }) => [labels['reason'] ?? '', value]));
}

describe('the metrics', () => {
  it('tell why rows were deleted, and count no fence mark for a result', async () => {
    const workspaceId = newId('workspace');
    const ours = (): RunTry => ({ ...newTry(), workspaceId });
    const [old, large, over] = [ours(), ours(), ours()];
    for (const each of [old, large]) await sealInline(each, 30 * 24 * 3_600);
    await sealInline(over, -1);
    await writing.closeFence(newTry());
    await dataSource.query(
      `update results.manifest set created_at = now() - make_interval(days => case run_id when $1 then 9 else 4 end),
         expires_at = case state when 'NONE' then now() - interval '1 hour' else expires_at end`,
      [old.runId],
    );
    expect(await told('expired_total')).toEqual({ age: 0, days: 0, bytes: 0 });
    metadata.own = [{ workspaceId, days: 5, bytesMax: 0 }];
    expect(await retention.holdToLimits()).toBe(2);
    expect(await retention.expire(signal)).toBe(4);
    expect(await told('expired_total')).toEqual({ age: 1, days: 1, bytes: 1 });
  });

  it('tell the bytes of all kept results as they were found by the last look of any process', async () => {
    const [inline, paged, over] = [newTry(), newTry(), newTry()];
    expect(await told('kept_bytes')).toEqual({});
    await sealInline(inline, 60);
    await commitPage(paged);
    await sealPage(paged, 60);
    await sealInline(over, -1);
    await retention.measureKeptBytes();
    expect(await told('kept_bytes')).toEqual({ '': 3 * bytes.length });
    await retention.expire(signal);
    expect(await told('kept_bytes')).toEqual({ '': 3 * bytes.length });
    await newRetention(config).measureKeptBytes();
    expect(await told('kept_bytes')).toEqual({ '': 2 * bytes.length });
  });
});

describe('a workspace', () => {
  const workspaceId = newId('workspace');

  /** Inline results of 13 bytes each, begun so many days ago. */
  async function resultsOf(ages: readonly number[], of = workspaceId): Promise<RunTry[]> {
    const tries = ages.map(() => ({ ...newTry(), workspaceId: of }));
    for (const [index, each] of tries.entries()) {
      await sealInline(each, 30 * 24 * 3_600);
      await dataSource.query(
        `update results.manifest set created_at = now() - make_interval(days => $2) where run_id = $1`,
        [each.runId, ages[index]],
      );
    }
    return tries;
  }

  const statesOf = (tries: readonly RunTry[]): Promise<unknown[]> => Promise.all(tries.map(stateOf));

  it('keeps as many bytes as it says, the youngest, and what may still answer others is never counted out', async () => {
    const tries = await resultsOf([9, 0, 8, 1, 7]);
    const others = await resultsOf([9], newId('workspace'));
    metadata.own = [{ workspaceId, bytesMax: 3 * bytes.length }];
    expect(await retention.holdToLimits()).toBe(2);
    expect(await statesOf(tries)).toEqual(['EXPIRED', 'COMPLETE', 'EXPIRED', 'COMPLETE', 'COMPLETE']);
    expect(await statesOf(others)).toEqual(['COMPLETE']);
    metadata.own = [{ workspaceId, bytesMax: 0 }];
    expect(await retention.holdToLimits()).toBe(1);
    expect(await statesOf(tries)).toEqual(['EXPIRED', 'COMPLETE', 'EXPIRED', 'COMPLETE', 'EXPIRED']);
    await retention.expire(signal);
    expect(await count('manifest')).toBe(6);
  });

  it('keeps results for as many days as it says, and at least for as long as they may answer others', async () => {
    const tries = await resultsOf([1, 4, 6]);
    metadata.own = [{ workspaceId, days: 5 }];
    expect(await retention.holdToLimits()).toBe(1);
    metadata.own = [{ workspaceId, days: 1 }];
    expect(await retention.holdToLimits()).toBe(1);
    expect(await statesOf(tries)).toEqual(['COMPLETE', 'EXPIRED', 'EXPIRED']);
  });

  it('that says nothing has the limit of the installation, and pages count as they are stored', async () => {
    const [tried] = [newTry()];
    await commitPage(tried);
    await sealPage(tried, 30 * 24 * 3_600);
    await dataSource.query(`update results.manifest set created_at = now() - interval '9 days'`);
    expect(
      await newRetention({ ...config, retention: { ...config.retention, workspaceBytesMax: 13 } }).holdToLimits(),
    ).toBe(0);
    expect(
      await newRetention({ ...config, retention: { ...config.retention, workspaceBytesMax: 12 } }).holdToLimits(),
    ).toBe(1);
  });
});

describe('a result whose rows are long gone', () => {
  it('is forgotten in the end, so that the table does not grow for ever', async () => {
    const [old, recent, kept] = [newTry(), newTry(), newTry()];
    for (const each of [old, recent]) await sealInline(each, -1);
    await sealInline(kept, 60);
    await retention.expire(signal);
    await dataSource.query(`update results.manifest set purged_at = now() - interval '91 days' where run_id = $1`, [
      old.runId,
    ]);
    await retention.expire(signal);
    expect([await stateOf(old), await stateOf(recent), await stateOf(kept)]).toEqual([
      undefined,
      'EXPIRED',
      'COMPLETE',
    ]);
  });
});

describe('the end of a run', () => {
  const states: RunState[] = ['FAILED', 'CANCELED', 'TIMED_OUT'];

  it.each(states)(
    'as %s keeps what was readable and drops what was never committed, however often it is told',
    async (state) => {
      const [first, second] = [newTry(1), newTry(2)];
      const [lost, last] = [{ ...second, fence: 1 }, second];
      await store.put({ ...lost, page: 0 }, bytes);
      await commitPage(last);
      await store.put({ ...first, page: 0 }, bytes);
      for (let delivery = 0; delivery < 2; delivery++) {
        await ends.end({ ...last, state });
        await ends.end({ ...first, state });
        expect([await stateOf(last), await stateOf(first)]).toEqual(['PARTIAL', undefined]);
        expect([await storedFences(last), await storedFences(first)]).toEqual([['2'], []]);
      }
    },
  );

  it('as SUCCEEDED drops the files of tries that were given up', async () => {
    const last = newTry(2);
    await store.put({ ...last, fence: 1, page: 0 }, bytes);
    await commitPage(last);
    await sealPage(last, 60);
    await ends.end({ ...last, state: 'SUCCEEDED' });
    expect(await storedFences(last)).toEqual(['2']);
    expect(await stateOf(last)).toBe('COMPLETE');
  });
});

describe('a sweep of the store', () => {
  it('deletes what no result names once it is a day old, and nothing else', async () => {
    const [orphan, fresh, kept, over] = [newTry(), newTry(), newTry(2), newTry()];
    await store.put({ ...orphan, page: 0 }, bytes);
    await store.put({ ...fresh, page: 0 }, bytes);
    await store.put({ ...kept, fence: 1, page: 0 }, bytes);
    await commitPage(kept);
    await commitPage(over);
    await sealPage(over, -1);
    await new RetentionRepository(dataSource).purge(10, 0);
    const longAgo = new Date(Date.now() - twoDaysMs);
    for (const each of [orphan, kept, over]) await utimes(join(root, each.workspaceId, each.runId), longAgo, longAgo);
    expect(await retention.sweepOrphans(Date.now(), signal)).toBe(2);
    expect([await storedFences(orphan), await storedFences(over)]).toEqual([[], []]);
    expect([await storedFences(fresh), await storedFences(kept)]).toEqual([['1'], ['2']]);
  });

  it('falls to one process in each period', async () => {
    const repository = new RetentionRepository(dataSource);
    const claims = await Promise.all(Array.from({ length: 8 }, () => repository.claimSweep('orphans', 3_600)));
    expect(claims.filter(Boolean)).toHaveLength(1);
  });
});

describe('the store', () => {
  const open = async (directory: PageStore): Promise<StoreIdentityService> => {
    const service = new StoreIdentityService(directory, new StoreRepository(dataSource));
    await service.open();
    return service;
  };

  it('is marked once, and every process that starts learns the same identity', async () => {
    const services = await Promise.all([1, 2, 3].map(() => open(store)));
    expect(new Set(services.map((service) => service.identity())).size).toBe(1);
    await store.prove((await open(store)).identity());
  });

  it('is never replaced by a directory that has no mark or the mark of another', async () => {
    await open(store);
    const other = await mkdtemp(join(tmpdir(), 'sluice-retention-'));
    await expect(open(testPageStore(other))).rejects.toMatchObject({ code: 'result.store_unavailable' });
    await testPageStore(other).mark('another');
    await expect(open(testPageStore(other))).rejects.toMatchObject({ code: 'result.store_unavailable' });
    await rm(other, { recursive: true });
  });
});
