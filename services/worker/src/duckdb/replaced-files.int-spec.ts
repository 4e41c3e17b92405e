import { copyFile, mkdtemp, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { OpenedSource, SourceSession } from '../connector/connector.js';
import { DuckdbConnector } from './duckdb-connector.js';

type Kind = 'database' | 'parquet' | 'csv';
const kinds: readonly Kind[] = ['database', 'parquet', 'csv'];

let directory: string;
let connector: DuckdbConnector;
let files = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-duckdb-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));
beforeEach(() => {
  const limits = { memoryMb: 128, threads: 1, spillDirectory: join(directory, 'spill'), spillMb: 64 };
  connector = new DuckdbConnector('worker-1', { directories: [directory], ...limits }, 60_000);
});
afterEach(() => connector.close());

/** A file whose table holds one number in so many rows. */
async function newFile(kind: Kind, value: number): Promise<string> {
  const path = join(directory, `${(files += 1)}.${kind}`);
  const instance = await DuckDBInstance.create(kind === 'database' ? path : ':memory:');
  const connection = await instance.connect();
  const rows = `select ${value} as n from range(50000)`;
  if (kind === 'database') await connection.run(`create table t as ${rows}`);
  else await connection.run(`copy (${rows}) to '${path}' (format ${kind})`);
  connection.closeSync();
  instance.closeSync();
  return path;
}

const sourceOf = (kind: Kind, path: string): OpenedSource => ({
  id: 'src_1',
  version: 1,
  options: kind === 'database' ? { database: path } : { tables: { t: { [kind]: path } } },
});

const open = (source: OpenedSource): Promise<SourceSession> =>
  connector.open(source, { runId: 'run_1', workspaceId: 'wsp_1', submittedById: 'usr_1', timeoutMs: 10_000 });

async function valueIn(source: OpenedSource): Promise<number> {
  const session = await open(source);
  try {
    const [row] = (await (await session.query('select max(n) from t')).next())?.rows ?? [];
    const [value] = JSON.parse(row ?? '[]') as unknown[];
    return Number(value);
  } finally {
    await session.close();
  }
}

describe.each(kinds)('a %s file that a load replaces between two runs is read as it is then', (kind) => {
  it.each([
    ['by rename', rename],
    ['by overwriting it', copyFile],
    [
      'by overwriting it, with its time restored',
      async (from: string, to: string): Promise<void> => {
        const { atime, mtime } = await stat(to);
        await copyFile(from, to);
        await utimes(to, atime, mtime);
      },
    ],
    [
      'by a link that leads to another',
      async (from: string, to: string): Promise<void> => {
        await symlink(from, `${to}.link`);
        await rename(`${to}.link`, to);
      },
    ],
  ])('%s', async (_how, replace) => {
    const path = await newFile(kind, 1);
    const source = sourceOf(kind, path);
    expect([await valueIn(source), await valueIn(source)]).toEqual([1, 1]);
    await replace(await newFile(kind, 2), path);
    expect(await valueIn(source)).toBe(2);
    await replace(await newFile(kind, 3), path);
    expect(await valueIn(source)).toBe(3);
  });
});

describe('a run on a file that a load replaces', () => {
  it('reads to its end what it began with, while others read the new one', async () => {
    const path = await newFile('database', 1);
    const source = sourceOf('database', path);
    const session = await open(source);
    const stream = await session.query('select n from t');
    await stream.next();
    await rename(await newFile('database', 2), path);
    expect(await valueIn(source)).toBe(2);
    const seen = new Set<string>();
    for (let batch = await stream.next(); batch; batch = await stream.next())
      batch.rows.forEach((row) => seen.add(row));
    expect([...seen]).toEqual(['[1]']);
    await session.close();
  });

  it('is told that a file is gone, and reads it when it is back', async () => {
    const path = await newFile('database', 1);
    const source = sourceOf('database', path);
    expect(await valueIn(source)).toBe(1);
    await rename(path, `${path}.away`);
    await expect(valueIn(source)).rejects.toMatchObject({ code: 'source.unavailable' });
    await rename(`${path}.away`, path);
    expect(await valueIn(source)).toBe(1);
  });

  it('shows the columns that a table has now', async () => {
    const path = join(directory, 'columns.csv');
    await writeFile(path, 'a\n1\n');
    const source = sourceOf('csv', path);
    expect((await connector.readSchema(source))[0]?.columns.map(({ name }) => name)).toEqual(['a']);
    await writeFile(path, 'a,b\n1,2\n');
    expect((await connector.readSchema(source))[0]?.columns.map(({ name }) => name)).toEqual(['a', 'b']);
  });
});
