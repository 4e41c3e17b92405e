import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AppError } from '#libs/kernel';
import type { OpenedSource, SourceSession } from '../connector/connector.js';
import { DuckdbConnector } from './duckdb-connector.js';
import type { DuckdbLimits } from './duckdb-instance.js';

const data = resolve(import.meta.dirname, '../../../../node_modules/vega-datasets/data');
const flightsPath = join(data, 'flights-3m.parquet');

let directory: string;
let source: OpenedSource;
let connector: DuckdbConnector;
let sessions: SourceSession[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-duckdb-'));
  await writeFile(join(directory, 'secret.csv'), 'a\n1\n');
  await writeFile(join(directory, 'airports.csv'), 'iata,name\nATL,Atlanta\nSFO,"San Francisco"\n');
  source = {
    id: 'src_1',
    version: 1,
    options: { tables: { flights: { parquet: flightsPath }, airports: { csv: join(directory, 'airports.csv') } } },
  };
});
afterAll(() => rm(directory, { recursive: true, force: true }));
beforeEach(() => {
  connector = new DuckdbConnector('worker-1', limitsWith([data, directory]), 60_000);
});
afterEach(async () => {
  for (const session of sessions) await session.close();
  sessions = [];
  await connector.close();
});

function limitsWith(directories: readonly string[]): DuckdbLimits {
  return { directories, memoryMb: 128, threads: 2, spillDirectory: join(directory, 'spill'), spillMb: 64 };
}

const asker = { workspaceId: 'wsp_1', submittedById: 'usr_1' };
let runs = 0;
async function open(timeoutMs = 30_000, from: OpenedSource = source): Promise<SourceSession> {
  runs += 1;
  const session = await connector.open(from, { runId: `run_${runs}`, ...asker, timeoutMs });
  sessions.push(session);
  return session;
}

async function answer(sql: string, from: OpenedSource = source): Promise<unknown[]> {
  const stream = await (await open(30_000, from)).query(sql);
  const rows: unknown[] = [];
  for (let batch = await stream.next(); batch; batch = await stream.next()) {
    for (const row of batch.rows) rows.push(JSON.parse(row));
  }
  return rows;
}

const endless = 'select count(*) from flights a, flights b where a.delay + b.delay = 7';

describe('a DuckDB session', () => {
  it('answers over the files that the source names as tables', async () => {
    expect(await answer('select count(*) from flights')).toEqual([['3000000']]);
    expect(await answer("select name from airports where iata = 'SFO'")).toEqual([['San Francisco']]);
  });

  it('reads many files at once within its memory, whatever their form', async () => {
    const joins = Array.from({ length: 10 }, (_, place) => `join airports a${place} using (iata)`);
    expect(await answer(`select count(*) from airports ${joins.join(' ')}`)).toEqual([['2']]);
  });

  it('brings every row once and in order, with names that are unique', async () => {
    const session = await open();
    const stream = await session.query('select n, n, n as n_2 from range(100000) r(n)');
    expect(stream.columns.map(({ name }) => name)).toEqual(['n', 'n_3', 'n_2']);
    let next = 0;
    for (let batch = await stream.next(); batch; batch = await stream.next()) {
      for (const row of batch.rows) expect(row).toBe(`["${next}","${next}","${next++}"]`);
    }
    expect(next).toBe(100_000);
  });

  it('tells that a statement has failed after its first rows, and never takes what came for all', async () => {
    const sql =
      "select repeat('x', 300), cast(case when n < 200000 then '1' else 'x' end as integer) from range(300000) t(n)";
    await expect(answer(sql)).rejects.toMatchObject({ code: 'run.query_failed' });
  });

  it('brings large rows in batches that fit into a page', async () => {
    const stream = await (await open()).query("select n, repeat('x', 40000) from range(3000) t(n)");
    let count = 0;
    for (let batch = await stream.next(); batch; batch = await stream.next()) {
      expect(batch.rowBytes).toBeLessThan(400_000);
      for (const row of batch.rows) expect(row.startsWith(`["${count++}",`)).toBe(true);
    }
    expect(count).toBe(3_000);
  });

  it('brings texts as they are, also where they begin with U+FEFF', async () => {
    const mark = '\ufeff';
    expect(await answer("select chr(65279) || 'a', [chr(65279) || repeat('b', 20)], {'c': chr(65279)}")).toEqual([
      [`${mark}a`, [mark + 'b'.repeat(20)], { c: mark }],
    ]);
  });

  it('tells the engine’s own message and kind, about the caller’s own text', async () => {
    const session = await open();
    await expect(session.query('select nosuch from flights')).rejects.toMatchObject({
      code: 'run.query_failed',
      publicMessage: expect.stringContaining('nosuch'),
      details: { sourceCode: 'Binder' },
    });
  });

  it.each([
    ['select 1,\n  nosuch from flights', /"nosuch" not found.*\(line 2, column 3\)$/s],
    ['select 1 as hidden from nosuch', /nosuch does not exist!.*\(line 1, column 25\)$/s],
    [`select '${'hidden '.repeat(40)}', nosuch from flights`, /"nosuch" not found.*\(line 1\)$/s],
    ["select 'hidden'::integer", /Could not convert string/],
  ])('tells the place of a fault, and nothing else of the statement: %j', async (sql, message) => {
    const failure = await answer(sql).catch((error: unknown) => error);
    expect((failure as AppError).publicMessage).toMatch(message);
    expect((failure as AppError).publicMessage).not.toMatch(/LINE|\^|select/);
  });

  it('takes one statement only, and nothing but a SELECT', async () => {
    for (const sql of ['select 1; select 2', 'create table t (a int)', 'set threads = 1', 'checkpoint']) {
      await expect((await open()).query(sql)).rejects.toMatchObject({ code: 'sql.not_read_only' });
    }
  });

  it.each([
    "select * from read_text('/etc/passwd')",
    "select * from read_csv('{dir}/secret.csv')",
    "select * from '{dir}/secret.csv'",
    "select * from read_csv('{dir}/../{base}/secret.csv')",
    "select * from glob('{dir}/*')",
    "select * from read_parquet('https://example.com/x.parquet')",
    "select * from read_blob('/proc/self/environ')",
    "select getenv('PATH')",
  ])('reads no file but those of the source, without the help of the proof: %s', async (template) => {
    const sql = template.replaceAll('{dir}', directory).replaceAll('{base}', directory.split('/').at(-1) ?? '');
    await expect(answer(sql)).rejects.toMatchObject({ code: expect.stringMatching(/^(source|run)\./) });
    const failure = await answer(sql).catch((error: { publicMessage: string }) => error);
    expect((failure as { publicMessage: string }).publicMessage).not.toContain(directory);
  });

  it('spills what its memory does not hold, and tells where even that is too much', async () => {
    const failure = await answer(
      'select a.origin, list(b.date) from flights a join flights b using (origin) group by all',
    ).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'run.query_failed', details: { sourceCode: 'Out of Memory' } });
    expect(await answer('select count(*) from flights')).toEqual([['3000000']]);
  });
});

describe('the files of a DuckDB source', () => {
  const sourceOf = (options: OpenedSource['options']): OpenedSource => ({ id: 'src_files', version: 1, options });
  const refused = { code: 'source.unavailable', publicMessage: expect.stringContaining('operator') };

  async function opening(options: OpenedSource['options'], directories: readonly string[]): Promise<string> {
    const other = new DuckdbConnector('worker-1', limitsWith(directories), 60_000);
    try {
      return await other.test(sourceOf(options));
    } finally {
      await other.close();
    }
  }

  it('lie in the directories that the operator has opened, and nowhere else', async () => {
    const inside = { tables: { a: { csv: join(directory, 'airports.csv') } } };
    await expect(opening(inside, [directory])).resolves.toContain('DuckDB');
    await expect(opening({ tables: { a: { csv: '/etc/passwd' } } }, [directory])).rejects.toMatchObject(refused);
    await expect(opening({ tables: { a: { parquet: flightsPath } } }, [directory])).rejects.toMatchObject(refused);
    await expect(opening({ database: '/etc/passwd' }, [directory])).rejects.toMatchObject(refused);
    // A directory's name that another one begins with opens nothing of the other.
    await expect(opening(inside, [directory.slice(0, -1)])).rejects.toMatchObject(refused);
  });

  it('are none where no directory is open', async () => {
    await expect(opening({ tables: { a: { csv: join(directory, 'airports.csv') } } }, [])).rejects.toMatchObject(
      refused,
    );
  });

  it('are judged by where links lead', async () => {
    await symlink('/etc/passwd', join(directory, 'link.csv'));
    await symlink('/etc', join(directory, 'folder'));
    for (const path of ['link.csv', 'folder/passwd']) {
      const options = { tables: { a: { csv: join(directory, path) } } };
      await expect(opening(options, [directory])).rejects.toMatchObject(refused);
    }
  });

  it('are plain files, and one that is missing looks like one that lies elsewhere', async () => {
    await mkdir(join(directory, 'folder.csv'));
    for (const path of [join(directory, 'folder.csv'), join(directory, 'missing.csv'), '/etc/missing', '/dev/zero']) {
      await expect(opening({ tables: { a: { csv: path } } }, [directory, '/dev'])).rejects.toMatchObject(refused);
    }
  });

  it('never have an extension fetched and loaded', async () => {
    const path = join(directory, 'other.db');
    await writeFile(path, Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(4_080)]));
    const failure = await opening({ database: path }, [directory]).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'source.unavailable' });
    expect((failure as AppError).internalMessage).not.toMatch(/download/i);
  });
});

describe('the time of a DuckDB statement', () => {
  it('ends at its limit', async () => {
    const begin = performance.now();
    const session = await open(100);
    await expect(session.query(endless)).rejects.toMatchObject({ code: 'run.timed_out' });
    expect(performance.now() - begin).toBeLessThan(2_000);
  });

  it('ends by a cancel, of this session alone', async () => {
    const [first, second] = [await open(), await open()];
    const canceled = first.query(endless).catch((error: unknown) => error);
    const other = second.query('select count(*) from flights where delay > 0');
    await first.cancel();
    expect(await canceled).toMatchObject({ code: 'run.timed_out' });
    expect(await (await other).next()).toMatchObject({ rowCount: 1 });
  });

  it('ends by a cancel between two batches', async () => {
    const session = await open();
    const stream = await session.query('select * from flights');
    await stream.next();
    await session.cancel();
    await expect(stream.next()).rejects.toMatchObject({ code: 'run.timed_out' });
  });

  it('ends by the handle, and only by that of this worker and run', async () => {
    const session = await open();
    const outcome = session.query(endless).catch((error: unknown) => error);
    const { values } = session.handle;
    expect(await connector.cancel(source, { values: { ...values, worker: 'worker-2' } })).toBe(false);
    expect(await connector.cancel(source, { values: { ...values, run: 'run_other' } })).toBe(false);
    expect(await connector.cancel(source, { values: { backendPid: '1' } })).toBe(false);
    expect(await connector.cancel(source, session.handle)).toBe(true);
    expect(await outcome).toMatchObject({ code: 'run.timed_out' });
    await session.close();
    expect(await connector.cancel(source, session.handle)).toBe(false);
  });
});

describe('a DuckDB source', () => {
  it('of another version is another instance, and the old one serves its runs to their end', async () => {
    const old = await (await open()).query('select * from flights limit 500000');
    await old.next();
    const changed = {
      ...source,
      version: 2,
      options: { tables: { places: { csv: join(directory, 'airports.csv') } } },
    };
    expect(await answer('select count(*) from places', changed)).toEqual([['2']]);
    await expect(answer('select * from flights', changed)).rejects.toMatchObject({ code: 'run.query_failed' });
    let rows = 0;
    for (let batch = await old.next(); batch; batch = await old.next()) rows += batch.rowCount;
    expect(rows).toBeGreaterThan(490_000);
  });

  it.each([
    ['a file that is not there', { tables: { t: { parquet: '/nosuch/file.parquet' } } }],
    ['a file that is no Parquet', { tables: { t: { parquet: '/etc/hostname' } } }],
    ['a database that is not there', { database: '/nosuch/file.duckdb' }],
  ])('that cannot be read is told as such, without its path: %s', async (_what, options) => {
    const failure = await open(1_000, { ...source, options }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'source.unavailable' });
    expect((failure as { publicMessage: string }).publicMessage).not.toContain('/');
    await expect(connector.test({ ...source, version: 3, options })).rejects.toMatchObject({
      code: 'source.unavailable',
    });
  });

  it('shows its tables with types, and its version', async () => {
    const tables = await connector.readSchema(source);
    expect(tables.map(({ schema, name }) => `${schema}.${name}`)).toEqual(['main.airports', 'main.flights']);
    expect(tables[1]?.columns).toEqual([
      { name: 'date', type: 'TIMESTAMP', sourceType: 'TIMESTAMP', nullable: true },
      { name: 'delay', type: 'BIGINT', sourceType: 'BIGINT', nullable: true },
      { name: 'distance', type: 'BIGINT', sourceType: 'BIGINT', nullable: true },
      { name: 'origin', type: 'TEXT', sourceType: 'VARCHAR', nullable: true },
      { name: 'destination', type: 'TEXT', sourceType: 'VARCHAR', nullable: true },
    ]);
    expect(await connector.test(source)).toMatch(/^DuckDB \d+\.\d+/);
  });

  it('that is a database file is opened to be read, and stays as it was', async () => {
    const path = join(directory, 'made.duckdb');
    const maker = await DuckDBInstance.create(path);
    const connection = await maker.connect();
    await connection.run('create table t as select 42 as a');
    connection.closeSync();
    maker.closeSync();
    const from = { id: 'src_2', version: 1, options: { database: path } };
    expect(await answer('select a from t', from)).toEqual([[42]]);
    expect((await connector.readSchema(from)).map(({ name }) => name)).toEqual(['t']);
    expect((await readdir(directory)).filter((name) => name.startsWith('made'))).toEqual(['made.duckdb']);
  });
});

describe('an estimate', () => {
  it('is the number of rows, which is all that DuckDB tells, for the values of the statement', async () => {
    const session = await open();
    const estimate = await session.estimate('select * from range(5000) as r(i) where i >= $1', ['0']);
    expect(Object.keys(estimate).sort()).toEqual(['largestStepRows', 'plan', 'rows']);
    expect(estimate.largestStepRows).toBeGreaterThan(0);
    const stream = await session.query('select 1 as one');
    expect((await stream.next())?.rows).toEqual(['[1]']);
    await session.close();
  });

  it.each([
    ['select count(*) from range(3000) a(i) cross join range(3000) b(j)', 9_000_000],
    ['select a.i from range(3000) a(i), range(3000) b(j) where a.i + b.j > 5', 9_000_000],
    ['select i from range(3000) a(i) union all select i from range(2000) b(i)', 5_000],
    ['select 1 where false', 0],
  ])('counts what DuckDB leaves out: %s', async (sql, rows) => {
    const session = await open();
    expect(await session.estimate(sql)).toMatchObject({ largestStepRows: rows });
    await session.close();
  });

  it('of what cannot be planned is refused', async () => {
    const session = await open();
    await expect(session.estimate('select nosuch from airports')).rejects.toMatchObject({
      code: 'run.query_failed',
      publicMessage: expect.stringContaining('(line 1, column 8)') as string,
    });
    await session.close();
  });
});
