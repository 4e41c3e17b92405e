import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Column, RunPlan, SourceConnection, StoredPage } from '#libs/contracts';
import { MasterKeys, newDataKey, sealSecrets, sealText } from '#libs/encryption';
import { newId } from '#libs/kernel';
import { decodePage, PageStore } from '#libs/result-store';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import { startPostgres, until, type PostgresServer } from '#libs/testing';
import { ConnectorRegistry } from '../connector/connector-registry.js';
import { SourceOpener } from '../source/source-opener.js';
import type { WorkerConfig } from '../worker.config.js';
import { HeldRuns } from './held-runs.js';
import { RunExecutionService } from './run-execution.service.js';
import { RunMetrics } from './run-metrics.js';
import type { RunClient, RunOutcome, Seal } from './run.client.js';

/** The orchestrator and the results service as this worker sees them, in the order in which they were asked. */
class RecordingClient implements Pick<RunClient, 'claim' | 'finish' | 'commitPage' | 'seal'> {
  readonly asked: string[] = [];
  readonly pages: { page: StoredPage; columns: Column[] }[] = [];
  sealed: Seal | undefined;
  outcome: RunOutcome | undefined;
  timeoutMs = 30_000;
  grants = true;
  pagesAccepted = Infinity;
  accepts = true;
  onPage: () => Promise<void> = async () => undefined;

  async claim(): Promise<{ granted: boolean; timeoutMs: number }> {
    this.asked.push('claim');
    return { granted: this.grants, timeoutMs: this.timeoutMs };
  }

  async commitPage(_plan: RunPlan, page: StoredPage, columns: Column[]): Promise<boolean> {
    this.asked.push(`page ${page.number}`);
    await this.onPage();
    if (this.pages.length >= this.pagesAccepted) return false;
    this.pages.push({ page, columns });
    return true;
  }

  async seal(_plan: RunPlan, seal: Seal): Promise<boolean> {
    this.asked.push('seal');
    this.sealed = seal;
    return this.accepts;
  }

  async finish(_plan: RunPlan, outcome: RunOutcome): Promise<{ accepted: boolean; state: 'SUCCEEDED' }> {
    this.asked.push('finish');
    this.outcome = outcome;
    return { accepted: true, state: 'SUCCEEDED' };
  }
}

const workspaceId = newId('workspace');
const key = Buffer.alloc(32, 7).toString('base64');
const masterKeys = `k1:${key}`;
let directory: string;
let server: PostgresServer;
let admin: pg.Client;
let store: PageStore;
let connectors: ConnectorRegistry;
let client: RecordingClient;
let held: HeldRuns;
let service: RunExecutionService;
let sources: Record<'postgres' | 'duckdb', SourceConnection>;

const sourceOf = (type: string, options: Record<string, unknown>, secrets?: { password: string }): SourceConnection => {
  const id = newId('dataSource');
  return {
    ...{ id, workspaceId, name: type, type, version: 1, maxConcurrentExecutions: 4, paused: false },
    options: options as never,
    ...(secrets
      ? { secrets: sealSecrets(secrets, newDataKey(MasterKeys.parse(masterKeys), workspaceId), `${workspaceId}/${id}`) }
      : {}),
  };
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-worker-'));
  server = await startPostgres();
  const url = new URL(await server.createDatabase());
  admin = new pg.Client({ connectionString: url.href });
  await admin.connect();
  await admin.query(`create role reader login password 'secret';
    create table numbers as select n from generate_series(1, 100000) n; grant select on numbers to reader`);
  const address = { host: url.hostname, port: Number(url.port), database: url.pathname.slice(1), user: 'reader' };
  const data = resolve(import.meta.dirname, '../../../../node_modules/vega-datasets/data');
  const flights = join(data, 'flights-3m.parquet');
  sources = {
    postgres: sourceOf('postgres', address, { password: 'secret' }),
    duckdb: sourceOf('duckdb', { tables: { flights: { parquet: flights } } }),
  };
  const config = {
    masterKeys,
    service: { instance: 'worker-1' },
    run: { pool: 'default', slots: 4, heartbeatMs: 1_000, repeatSeconds: 1 },
    source: { connectTimeoutMs: 2_000, idleSeconds: 60 },
    duckdb: {
      ...{ directories: [data], memoryMb: 128, threads: 2 },
      ...{ spillDirectory: join(directory, 'spill'), spillMb: 64 },
    },
  } as WorkerConfig;
  connectors = new ConnectorRegistry(config);
  store = new PageStore(join(directory, 'store'));
  held = new HeldRuns();
  const logger = AppLogger.create({ service: 'worker', instance: 'worker-1', level: 'silent' });
  const metrics = new RunMetrics(new MetricsRegistry('worker'), held, config);
  const opener = new SourceOpener(config);
  beforeEachRun = () => {
    client = new RecordingClient();
    service = new RunExecutionService(held, client as never, connectors, opener, store, metrics, logger);
  };
});
let beforeEachRun: () => void;
beforeEach(() => beforeEachRun());
afterAll(async () => {
  await connectors.close();
  await admin.end();
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

function planOf(sql: string, change: Partial<RunPlan> = {}): RunPlan {
  return {
    ...{ runId: newId('run'), fence: 1, workspaceId, source: sources.postgres, sql, rowsMax: 1_000_000 },
    ...{ bytesMax: 1_000_000_000, timeoutMs: 30_000, submittedById: 'usr_1', requestId: 'req_1', traceparent: '' },
    values: [],
    ...change,
  };
}

async function storedRows(plan: RunPlan): Promise<unknown[]> {
  const rows: unknown[] = [];
  for (const { page } of client.pages) {
    const place = { workspaceId, runId: plan.runId, fence: plan.fence, page: page.number };
    const decoded = await decodePage(await store.get(place, page.checksum));
    for (let index = 0; index < decoded.rowCount; index += 1) rows.push(JSON.parse(decoded.row(index)));
  }
  return rows;
}

// A server sends when it has 8 KB, so rows that are to come one by one have to be wide.
const slowRows = `select n, repeat('x', 9000), (select count(*) from generate_series(1, 200000 + n * 0))
  from generate_series(1, 60) n`;

describe.each(['postgres', 'duckdb'] as const)('a run at a %s source', (type) => {
  const numbers = type === 'postgres' ? 'generate_series(1, 50000)' : 'range(1, 50001)';

  it('with few rows goes inline: claim, seal and finish, no page', async () => {
    await service.execute(planOf('select 1 as a, null as b', { source: sources[type] }));
    expect(client.asked).toEqual(['claim', 'seal', 'finish']);
    expect(client.sealed).toMatchObject({ rowCount: 1, byteCount: 8, truncated: false, pageCount: 0 });
    expect(client.sealed?.columns.map(({ name }) => name)).toEqual(['a', 'b']);
    const inline = await decodePage(client.sealed?.inline ?? new Uint8Array());
    expect(inline.row(0)).toBe('[1,null]');
    expect(client.outcome).toEqual({ case: 'succeeded', value: { rows: 1, bytes: 8 } });
  });

  it('binds its values as what stands beside their placeholders, and none of them is read as SQL', async () => {
    const sql = `select cast($1 as integer) + 1, $2 || 'x', cast($3 as date) = '2026-11-21', cast($4 as integer)
      from ${numbers} t(n) where n = $5`;
    const values = [
      { type: 'integer', value: '41' },
      { type: 'text', value: "' or 1 = 1 --" },
      { type: 'date', value: '2026-11-21' },
      { type: 'integer' },
      { type: 'text', value: '7' },
    ];
    await service.execute(planOf(sql, { source: sources[type], values }));
    expect(client.outcome).toMatchObject({ case: 'succeeded' });
    const inline = await decodePage(client.sealed?.inline ?? new Uint8Array());
    expect(JSON.parse(inline.row(0))).toEqual([42, "' or 1 = 1 --x", true, null]);
  });

  it('opens the values that were sealed for it, and none that was sealed for another run', async () => {
    const sealed = (runId: string): RunPlan['values'] => {
      const dataKey = newDataKey(MasterKeys.parse(masterKeys), workspaceId);
      return [{ type: 'text', sealed: sealText('the key of masks', dataKey, `${workspaceId}/${runId}`) }];
    };
    const [own, another] = [newId('run'), newId('run')];
    const plan = planOf("select $1 || '!'", { source: sources[type], runId: own });
    await service.execute({ ...plan, values: sealed(own) });
    expect((await decodePage(client.sealed?.inline ?? new Uint8Array())).row(0)).toBe('["the key of masks!"]');
    beforeEachRun();
    await service.execute({ ...plan, values: sealed(another) });
    expect(client.asked).toEqual(['claim', 'finish']);
    expect(client.outcome).toMatchObject({ case: 'failed', value: { error: { code: 'secret.unreadable' } } });
  });

  it('is refused where what was planned is not what its names mean when it is run', async () => {
    const schema = type === 'postgres' ? 'public' : 'main';
    const name = type === 'postgres' ? 'numbers' : 'flights';
    const relation = { schema, name, policyIds: [] };
    const reach = (changed: object = {}): RunPlan['reach'] => ({
      relations: [{ ...relation, ...changed }],
      governed: [{ schema: 'hidden', name: 'governed', policyIds: ['pol_1'] }],
    });
    const plan = () => planOf(`select count(*) from ${name}`, { source: sources[type] });
    await service.execute({ ...plan(), reach: reach() });
    expect(client.outcome).toMatchObject({ case: 'succeeded' });
    // Between plan and run: now the view shows rows of what has become a governed table, under fewer policies.
    beforeEachRun();
    const governed = [{ ...relation, policyIds: ['pol_1'] }];
    await service.execute({ ...plan(), reach: { relations: [relation], governed } });
    expect(client.asked).toEqual(['claim', 'finish']);
    expect(client.outcome).toMatchObject({ case: 'failed', value: { error: { code: 'sql.rejected' } } });
  });

  it('with fewer values than placeholders is refused before it is run', async () => {
    await service.execute(planOf('select cast($1 as integer)', { source: sources[type] }));
    expect(client.outcome).toMatchObject({
      case: 'failed',
      value: { error: { code: expect.stringMatching(/^sql\./) } },
    });
  });

  it('without rows still has its columns', async () => {
    await service.execute(planOf(`select n from ${numbers} t(n) where n < 0`, { source: sources[type] }));
    expect(client.sealed).toMatchObject({ rowCount: 0, pageCount: 0, columns: [{ name: 'n' }] });
  });

  it('with many rows makes pages readable in order, each row once, then seals', async () => {
    const plan = planOf(`select n::int as n from ${numbers} t(n)`, { source: sources[type] });
    await service.execute(plan);
    const count = client.pages.length;
    expect(client.asked).toEqual(['claim', ...client.pages.map((_, index) => `page ${index}`), 'seal', 'finish']);
    expect(client.pages[0]?.columns).toEqual([{ name: 'n', type: 'INTEGER', nullable: true }]);
    expect(client.sealed).toMatchObject({ rowCount: 50_000, pageCount: count, truncated: false });
    expect(client.sealed?.inline).toBeUndefined();
    expect(await storedRows(plan)).toEqual(Array.from({ length: 50_000 }, (_, index) => [index + 1]));
    for (const { page } of client.pages) expect(page.rowCount).toBeLessThanOrEqual(10_000);
  });

  it.each([
    [99, true, 99],
    [100, false, 100],
    [101, false, 100],
  ])('of 100 rows under a limit of %i is cut: %s', async (rowsMax, truncated, rowCount) => {
    await service.execute(planOf(`select n from ${numbers} t(n) where n <= 100`, { source: sources[type], rowsMax }));
    expect(client.sealed).toMatchObject({ rowCount, truncated });
    expect(client.outcome).toMatchObject({ case: 'succeeded', value: { rows: rowCount } });
  });

  it('is cut before the row that would go beyond the limit of bytes', async () => {
    // Rows of [1] to [9] have 3 bytes each.
    const sql = `select n::int from ${numbers} t(n) where n <= 9`;
    await service.execute(planOf(sql, { source: sources[type], bytesMax: 27 }));
    expect(client.sealed).toMatchObject({ rowCount: 9, byteCount: 27, truncated: false });
    beforeEachRun();
    await service.execute(planOf(sql, { source: sources[type], bytesMax: 26 }));
    expect(client.sealed).toMatchObject({ rowCount: 8, byteCount: 24, truncated: true });
  });

  it('that is not granted does nothing', async () => {
    client.grants = false;
    expect(await service.execute(planOf('select 1', { source: sources[type] }))).toBe('refused');
    expect(client.asked).toEqual(['claim']);
  });

  it('whose page is refused stops, and says no more', async () => {
    client.pagesAccepted = 1;
    expect(await service.execute(planOf(`select n from ${numbers} t(n)`, { source: sources[type] }))).toBe('lost');
    expect(client.asked).not.toContain('seal');
    expect(client.asked).not.toContain('finish');
  });

  it('whose SQL fails is told with the source’s own code, and is not worth another try', async () => {
    await service.execute(planOf('select nosuch', { source: sources[type] }));
    expect(client.outcome).toMatchObject({
      case: 'failed',
      value: {
        error: { code: 'run.query_failed', sourceCode: type === 'postgres' ? '42703' : 'Binder' },
        transient: false,
      },
    });
  });

  it('whose SQL is not proven is refused here too, before the source hears of it', async () => {
    await service.execute(planOf("select getenv('HOME'), set_config('a.b', 'c', true)", { source: sources[type] }));
    expect(client.asked).toEqual(['claim', 'finish']);
    expect(client.outcome).toMatchObject({
      case: 'failed',
      value: { error: { code: 'sql.not_read_only' }, transient: false },
    });
  });

  it('ends when its time is up', async () => {
    client.timeoutMs = 150;
    const heavy = `select count(*) from ${numbers} a(n), ${numbers} b(n), ${numbers} c(n) where a.n + b.n + c.n = 7`;
    await service.execute(planOf(heavy, { source: sources[type], timeoutMs: 30_000 }));
    expect(client.outcome).toEqual({ case: 'stopped', value: { timedOut: true } });
  });

  it('ends when it is stopped, and releases what it holds', async () => {
    const heavy = `select count(*) from ${numbers} a(n), ${numbers} b(n), ${numbers} c(n) where a.n + b.n + c.n = 7`;
    const plan = planOf(heavy, { source: sources[type] });
    const ended = service.execute(plan);
    await until(() => client.asked.includes('claim'));
    expect(held.stop(plan.runId, plan.fence + 1, 'canceled')).toBe(false);
    expect(held.stop(plan.runId, plan.fence, 'canceled')).toBe(true);
    await ended;
    expect(client.outcome).toEqual({ case: 'stopped', value: { timedOut: false } });
    expect(held.count).toBe(0);
  });
});

describe('a run', () => {
  it('shows its first rows while the statement still runs', async () => {
    const plan = planOf(slowRows);
    const ended = service.execute(plan);
    await until(() => client.pages.length > 0);
    expect(client.sealed).toBeUndefined();
    expect(client.pages[0]?.page.rowCount).toBeLessThan(60);
    await ended;
    expect(client.sealed).toMatchObject({ rowCount: 60, truncated: false, pageCount: client.pages.length });
    expect(await storedRows(plan)).toMatchObject(
      Array.from({ length: 60 }, (_, index) => ({ 0: index + 1, 2: '200000' })),
    );
  });

  it('reads no faster than its pages are taken', async () => {
    let release = (): void => undefined;
    client.onPage = () => new Promise((resolvePage) => (release = resolvePage));
    const plan = planOf("select repeat('x', 1000) from numbers");
    const ended = service.execute(plan);
    await until(() => client.asked.includes('page 0'));
    await until(async () => {
      const { rows } = await admin.query(
        "select wait_event from pg_stat_activity where application_name = $1 and backend_type = 'client backend'",
        [`sluice ${plan.runId} ${plan.submittedById}`],
      );
      return rows[0]?.wait_event === 'ClientWrite';
    });
    expect(held.all()[0]?.rows).toBeLessThan(20_000);
    client.onPage = async () => undefined;
    release();
    await ended;
    expect(client.sealed).toMatchObject({ rowCount: 100_000 });
  });

  it('that was delivered twice runs once', async () => {
    const plan = planOf(slowRows);
    const ended = service.execute(plan);
    expect(await service.execute(plan)).toBe('held');
    held.stop(plan.runId, plan.fence, 'canceled');
    await ended;
    expect(client.asked.filter((asked) => asked === 'claim').length).toBeLessThanOrEqual(1);
  });

  it('is given back by a worker that stops, as long as nobody could read a row', async () => {
    const plan = planOf('select count(*) from numbers a, numbers b');
    const ended = service.execute(plan);
    await until(() => client.asked.includes('claim'));
    held.stop(plan.runId, plan.fence, 'draining');
    await ended;
    expect(client.outcome).toEqual({ case: 'released', value: {} });
  });

  it('is not given back once rows could be read', async () => {
    const plan = planOf(slowRows);
    const ended = service.execute(plan);
    await until(() => client.pages.length > 0);
    held.stop(plan.runId, plan.fence, 'draining');
    await ended;
    expect(client.outcome).toMatchObject({
      case: 'failed',
      value: { error: { code: 'run.worker_lost' }, transient: false },
    });
  });

  it.each([
    ['a wrong password', { password: 'hunter2' }, {}, 'source.credentials_wrong', false],
    ['a dead host', { password: 'secret' }, { port: 1 }, 'source.unavailable', true],
  ])(
    'at a source with %s fails without a claim, and says whether it is worth another try',
    async (_what, secrets, change, code, transient) => {
      const source = sourceOf('postgres', { ...sources.postgres.options, ...change }, secrets);
      await service.execute(planOf('select 1', { source }));
      expect(client.asked).toEqual(['finish']);
      expect(client.outcome).toMatchObject({ case: 'failed', value: { error: { code }, transient } });
      expect(JSON.stringify(client.outcome)).not.toContain('hunter2');
    },
  );

  it('with another source’s secrets never reaches a source', async () => {
    const stolen = { ...sources.postgres, id: newId('dataSource') };
    await service.execute(planOf('select 1', { source: stolen }));
    expect(client.outcome).toMatchObject({ case: 'failed', value: { error: { code: 'secret.unreadable' } } });
  });

  it('leaves no session of its own at the source', async () => {
    await until(async () => {
      const { rowCount } = await admin.query("select from pg_stat_activity where application_name like 'sluice run_%'");
      return rowCount === 0;
    });
  });
});

describe('a PostgreSQL source that changes between plan and run', () => {
  const relation = (name: string, policyIds: string[] = []) => ({ schema: 'public', name, policyIds });
  const reach = { relations: [relation('open_table')], governed: [relation('governed', ['pol_1'])] };

  afterEach(async () => {
    // With the governed table goes a view of it.
    await admin.query(`drop schema if exists reader cascade; drop table governed cascade;
      drop table if exists public.open_table; drop schema open cascade`);
  });

  it.each([
    ['not', '', 'succeeded'],
    // The session's search path is the one of the plan, whatever the role's is.
    ['in a schema of the role’s own', 'create schema reader; create table reader.open_table (hidden int)', 'succeeded'],
    [
      'in that the table is a view of a governed one',
      'create view public.open_table as select * from governed',
      'failed',
    ],
    ['in that a governed table is a child of it', 'alter table governed inherit open_table', 'failed'],
    ['in that it is gone', 'drop table public.open_table', 'failed'],
  ])('is refused where it has to be; it changed %s', async (_how, change, outcome) => {
    await admin.query(`create schema open; create table governed (n int); create table open_table (n int);
      ${change.startsWith('create view') ? 'alter table open_table set schema open;' : ''} ${change};
      alter table if exists public.open_table owner to reader; grant usage on schema open to reader`);
    await service.execute(planOf('select * from open_table', { reach }));
    const rejected = { case: 'failed', value: { error: { code: 'sql.rejected' } } };
    expect(client.outcome).toMatchObject(outcome === 'succeeded' ? { case: outcome } : rejected);
  });
});
