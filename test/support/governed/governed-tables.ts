import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { DuckDBInstance } from '@duckdb/node-api';
import { newDataSource } from '../data-sources.js';
import type { RunningMesh } from '../running-mesh.js';

export type TableName = 'governed_orders' | 'governed_returns';
export const tableNames = ['governed_orders', 'governed_returns'] as const;

export interface Row {
  /** Of one row in both tables; modulo 100 it joins them. */
  readonly id: number;
  readonly region: string | null;
  readonly amount: number | null;
  /** Nothing else holds this text, so it says which row came out, whatever it came out in. */
  readonly secret: string | null;
}

export type Tables = Readonly<Record<TableName, readonly Row[]>>;

const regions = ['EU', 'US', 'ASIA', null, 'US', 'EU', "o'x", 'ASIA'];

const rowsFrom = (firstId: number, letter: string): Row[] =>
  regions.map((region, index) => ({ id: firstId + index, region, amount: index, secret: `mk${letter}${index}x` }));

export const trueRows: Tables = {
  governed_orders: rowsFrom(1, 'o'),
  // Some have a partner among the orders, some none.
  governed_returns: rowsFrom(105, 'r').map((row, index) => ({ ...row, region: regions[index + 2] ?? null })),
};

/** The marks of all rows in a text. */
export const marksIn = (text: string): string[] => text.match(/mk[or]\d+x/g) ?? [];

const literal = (value: string | number | null): string =>
  typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value);

const statements: readonly string[] = tableNames.flatMap((name) => [
  `create table ${name} (id int, region text, amount int, secret text)`,
  `insert into ${name} values ${trueRows[name]
    .map(({ id, region, amount, secret }) => `(${[id, region, amount, secret].map(literal).join(', ')})`)
    .join(', ')}`,
]);

/** A source of its own with the tables; `remove` takes them away. */
export async function governedSource(
  mesh: RunningMesh,
  kind: 'postgres' | 'duckdb',
): Promise<{ id: string; remove: () => Promise<void> }> {
  const made = kind === 'postgres' ? await inPostgres(mesh) : await inDuckdb(mesh);
  const { id } = await newDataSource(mesh.admin, kind, made.options);
  return { id, remove: made.remove };
}

interface Made {
  readonly options: Record<string, unknown>;
  readonly remove: () => Promise<void>;
}

async function inPostgres({ warehouse, access }: RunningMesh): Promise<Made> {
  for (const statement of statements) await warehouse.query(statement);
  await warehouse.query(`grant select on ${tableNames.join(', ')} to "${access.reader.user}"`);
  return {
    options: { ...access.reader },
    remove: async () => void (await warehouse.query(`drop table ${tableNames.join(', ')}`)),
  };
}

async function inDuckdb({ access }: RunningMesh): Promise<Made> {
  await mkdir(access.duckdbDirectory, { recursive: true });
  const database = join(access.duckdbDirectory, `${randomUUID()}.duckdb`);
  const instance = await DuckDBInstance.create(database);
  const connection = await instance.connect();
  for (const statement of statements) await connection.run(statement);
  connection.closeSync();
  instance.closeSync();
  return { options: { database }, remove: () => rm(database, { force: true }) };
}
