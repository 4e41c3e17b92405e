import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SourceConnection } from '#libs/contracts';
import { trialsOfPolicy, type RowPolicy } from '#libs/sql';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { openerFor, sourceOf } from '../../test/run-suite.js';
import { ConnectorRegistry } from '../connector/connector-registry.js';
import type { WorkerConfig } from '../worker.config.js';
import { SourceSessions } from './source-sessions.js';
import { TrialService } from './trial.service.js';

type Kind = 'postgres' | 'duckdb';

const kinds = ['postgres', 'duckdb'] as const;
const types = { amount: 'numeric(10,2)', n: 'integer', region: 'varchar', day: 'date', open: 'boolean' };
const columns = Object.entries(types).map(([name, type]) => `${name} ${type}`);
/** A row whose values no answer may hold. */
const tables = `create table sales (${columns.join(', ')});
  insert into sales values (31337, 31337, 'hidden', '2020-01-01', true);
  create table visits (region integer, n integer);
  create table closed (region varchar)`;

let directory: string;
let server: PostgresServer;
let admin: pg.Client;
let connectors: ConnectorRegistry;
let trials: TrialService;
let sources: Record<Kind, SourceConnection>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-trial-'));
  server = await startPostgres();
  const url = new URL(await server.createDatabase());
  admin = new pg.Client({ connectionString: url.href });
  await admin.connect();
  await admin.query(`create role reader login password 'secret'; ${tables}; analyze sales;
    grant select on sales, visits to reader`);
  const file = join(directory, 'sales.duckdb');
  const instance = await DuckDBInstance.create(file);
  const connection = await instance.connect();
  await connection.run(tables);
  connection.closeSync();
  instance.closeSync();
  const address = { host: url.hostname, port: Number(url.port), database: url.pathname.slice(1), user: 'reader' };
  sources = {
    postgres: sourceOf('postgres', address, { password: 'secret' }),
    duckdb: sourceOf('duckdb', { database: file }),
  };
  const config = {
    ...{ service: { instance: 'worker-1' }, run: { slots: 4 }, source: { connectTimeoutMs: 2_000, idleSeconds: 60 } },
    duckdb: {
      ...{ directories: [directory], memoryMb: 128, threads: 2 },
      ...{ spillDirectory: join(directory, 'spill'), spillMb: 64 },
    },
  } as WorkerConfig;
  connectors = new ConnectorRegistry(config);
  trials = new TrialService(connectors, new SourceSessions(connectors, openerFor(config)));
});
afterAll(async () => {
  await connectors.close();
  await admin.end();
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

const sourceTypes: Record<Kind, (type: string) => string> = {
  postgres: (type) => type,
  duckdb: (type) => type.replace('numeric', 'decimal').toUpperCase(),
};

/** What the source says of a policy, with the part that it is about; undefined: nothing. */
async function faultOf(
  kind: Kind,
  predicate: string,
  more: Partial<RowPolicy> = {},
  { source = sources[kind], timeoutMs = 10_000, signal = new AbortController().signal } = {},
): Promise<string | undefined> {
  const schema = kind === 'postgres' ? 'public' : 'main';
  const columnsOf = (given: Readonly<Record<string, string>>) =>
    Object.entries(given).map(([name, type]) => ({ name, sourceType: sourceTypes[kind](type) }));
  const policy = {
    ...{ id: '', table: { name: 'sales' }, groupNames: [], exemptGroupNames: [], key: null, masks: [], predicate },
    ...more,
  };
  const made = await trialsOfPolicy(policy, {
    dialect: kind,
    searchPath: [schema],
    tables: [
      { schema, name: 'gone_first', columns: columnsOf({ region: 'date' }) },
      { schema, name: 'sales', columns: columnsOf(types) },
      { schema, name: 'visits', columns: columnsOf({ region: 'integer', n: 'integer' }) },
      { schema, name: 'closed', columns: columnsOf({ region: 'varchar' }) },
      { schema, name: 'gone', columns: columnsOf({ region: 'varchar' }) },
    ],
  });
  const asked = made.map(({ values, reach, ...trial }) => ({
    ...trial,
    values: values.map(({ type, value }) => (value === null ? { type } : { type, value })),
    reach: reach && structuredClone(reach),
  }));
  const input = { source, trials: asked as never, timeoutMs, submittedById: 'usr_1' };
  const fault = await trials.firstFault(input, source, signal);
  return fault && `${made[fault.trial]?.path.join('.')}: ${fault.message}`;
}

describe.each(kinds)('a trial at %s finds', (kind) => {
  it.each([
    ['a text where a condition is due', 'region', /type (varchar|character varying|TEXT)/],
    ['a text that is no number', "amount = 'x'", /"x"/],
    ['a text that is no date, behind another condition', "open and day = 'x'", /"x"/],
    ['a text in a list of numbers', "n in (1, 'x')", /["']x["']/],
    ['types that no operator compares', 'region > 5', /(operator does not exist|Cannot compare)/],
    ['types that no operator adds', 'open + region = n', /(operator does not exist|No function matches)/],
    ['a function that is not there for the types', 'abs(region) > 1', /(does not exist|No function matches)/],
    ['an aggregate', 'sum(n) > 1', /aggregate/],
    ['a number that is compared with the id of a user', 'n = {{ user.id }}', kind === 'postgres' ? /integer/ : /INT32/],
  ])('%s', async (_fault, predicate, message) => {
    const fault = await faultOf(kind, predicate);
    expect(fault).toMatch(/^predicate: /);
    expect(fault).toMatch(message);
    expect(fault).not.toMatch(/31337|hidden|\(line/);
  });

  it.each([
    ['amount', 'x'],
    ['amount', ''],
    ['day', 'someday'],
    ['open', 'maybe'],
  ])('a mask of %s that shows %j, which is not of its type, and not the masks beside it', async (column, value) => {
    const masks = [
      { column: 'region', kind: 'FIXED', value: 'somewhere' },
      { column: 'n', kind: 'HASH' },
      { column, kind: 'FIXED', value },
    ] as const;
    expect(await faultOf(kind, 'true', { masks })).toMatch(/^masks\.2\.value: /);
  });

  it('a predicate that fits one of the tables that it governs and not another', async () => {
    expect(await faultOf(kind, "region = 'west' and n = 1", { table: null })).toMatch(/^predicate: .*west/);
    expect(await faultOf(kind, 'region is null and n = 1', { table: null })).toBeUndefined();
  });

  it('a fault with a table behind one of which the source tells nothing', async () => {
    expect(await faultOf(kind, "region = 'x'", { table: null })).toMatch(/^predicate: .*x.*/);
  });
});

describe.each(kinds)('a trial at %s has nothing against', (kind) => {
  it.each([
    'true',
    'region = {{ user.region }}',
    'amount = {{ user.level }}',
    'n in ({{ user.numbers }})',
    'n between {{ user.first }} and {{ user.last }}',
    'day > {{ user.since }}',
    'open = {{ user.flag }}',
    '{{ user.flag }}',
    'open and {{ user.flag }}',
    'case when {{ user.flag }} then open else false end',
    'region = {{ user.email }} or region in ({{ user.groups }})',
    'region = {{ user.id }}',
    "region like {{ user.prefix }} || '%'",
    'amount > {{ user.level }}::integer',
    'n = {{ user.groups }}',
    "date_trunc({{ user.unit }}, day) = '2020-01-01'",
    'amount = round({{ user.level }}::numeric, 2) -- a comment',
    "split_part({{ user.email }}, '@', 1)::integer = n",
    "n = coalesce({{ user.level }}, '')::integer",
    "concat({{ user.year }}::text, '-01-01')::date <= day",
    "coalesce(region, '')::integer = 5",
    "concat(n, '-01-01')::date <= day",
    "(case when region is null then '' else region end)::integer = n",
    'null',
  ])('%s', async (predicate) => {
    expect(await faultOf(kind, predicate)).toBeUndefined();
  });

  it('masks that fit, of every kind', async () => {
    const masks = [
      { column: 'amount', kind: 'FIXED', value: '1.5' },
      { column: 'n', kind: 'HASH' },
      { column: 'day', kind: 'FIXED', value: '1970-01-01' },
      { column: 'open', kind: 'NULL' },
      { column: 'region', kind: 'FIXED', value: '' },
    ] as const;
    expect(await faultOf(kind, 'n = {{ user.level }}', { masks })).toBeUndefined();
  });
});

it('a trial at DuckDB finds arithmetic with an attribute, which a run binds as text', async () => {
  expect(await faultOf('duckdb', '{{ user.level }} + 1 > n')).toMatch(/^predicate: Could not choose a best candidate/);
  expect(await faultOf('postgres', '{{ user.level }} + 1 > n')).toBeUndefined();
});

it('a trial at DuckDB leaves numbers be, which it takes for conditions', async () => {
  expect(await faultOf('duckdb', 'n')).toBeUndefined();
  expect(await faultOf('postgres', 'n')).toMatch(/boolean/);
});

describe('a trial does not take for the policy’s fault', () => {
  it('what the source refuses without the policy, too', async () => {
    await expect(faultOf('postgres', 'true', { table: { name: 'closed' } })).rejects.toMatchObject({
      code: 'run.query_failed',
      message: expect.stringContaining('permission denied') as unknown,
    });
  });

  it.each(kinds)('a table that %s has no more', async (kind) => {
    const message = expect.stringContaining('gone') as unknown;
    const attempt = faultOf(kind, 'true', { table: { name: 'gone' } });
    await expect(attempt).rejects.toMatchObject({ code: 'run.query_failed', message });
  });

  it('settings of a session that a row security of the database asks for', async () => {
    await admin.query(`create table own (region varchar); grant select on own to reader; alter table own enable row level security;
      create policy p on own using (region = current_setting('app.region'))`);
    await admin.query('alter table closed rename to was_closed; alter table own rename to closed');
    try {
      const attempt = faultOf('postgres', 'true', { table: { name: 'closed' } });
      await expect(attempt).rejects.toMatchObject({ message: expect.stringContaining('app.region') as unknown });
      expect(await faultOf('postgres', 'region', { table: { name: 'closed' } })).toMatch(/boolean/);
    } finally {
      await admin.query('alter table closed rename to own; alter table was_closed rename to closed');
    }
  });

  it('a source that is not there, or that nobody waits for any more', async () => {
    const source = sourceOf('postgres', { host: '127.0.0.1', port: 1, database: 'x', user: 'x' }, { password: 'x' });
    const unavailable = { code: 'source.unavailable' };
    await expect(faultOf('postgres', 'true', {}, { source })).rejects.toMatchObject(unavailable);
    await expect(faultOf('duckdb', 'true', {}, { timeoutMs: 0 })).rejects.toMatchObject(unavailable);
  });

  it('a table that somebody holds locked: the trial ends in time', async () => {
    await admin.query('begin; lock table sales in access exclusive mode');
    try {
      const begin = performance.now();
      await expect(faultOf('postgres', 'true', {}, { timeoutMs: 300 })).rejects.toMatchObject({
        code: 'run.timed_out',
      });
      expect(performance.now() - begin).toBeLessThan(2_000);
    } finally {
      await admin.query('rollback');
    }
  });
});
