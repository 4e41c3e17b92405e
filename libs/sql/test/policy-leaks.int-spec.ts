import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresServer } from '#libs/testing';
import { SourcePolicies, type SqlDialect, type TypedValue } from '../src/index.js';
import { hashedColumns, maskKey, policyCases, tableNames, type PolicyCase } from './policy-cases.js';
import { queryCases } from './query-cases.js';

/** More at night: `SLUICE_POLICY_CASES=5000`. */
const cases = Number(process.env['SLUICE_POLICY_CASES'] ?? 200);

/** `rows` sorted, each as JSON; or the source's message. */
type Outcome = { readonly rows: readonly string[] } | { readonly failure: string };

interface Source {
  readonly dialect: SqlDialect;
  /** The schema of the true tables; `allowed` has copies of what may be seen. */
  readonly schema: string;
  execute(sql: string): Promise<void>;
  run(sql: string, values: readonly TypedValue[], schema: string): Promise<Outcome>;
}

const literal = (value: string | number | null): string =>
  value === null ? 'null' : typeof value === 'number' ? String(value) : `'${value.replaceAll("'", "''")}'`;

async function fill(source: Source, policyCase: PolicyCase): Promise<void> {
  for (const name of tableNames) {
    const { all = [], visible = [] } = policyCase.tables[name] ?? {};
    const amountType = hashedColumns(policyCase, name).includes('amount') ? 'text' : 'int';
    await source.execute(`drop table if exists allowed.${name}`);
    await source.execute(`create table allowed.${name} (id int, region text, amount ${amountType}, secret text)`);
    await source.execute(`delete from ${source.schema}.${name}`);
    for (const [schema, rows] of [[source.schema, all] as const, ['allowed', visible] as const]) {
      const values = rows.map((row) => `(${[row.id, row.region, row.amount, row.secret].map(literal).join(', ')})`);
      if (values.length > 0) await source.execute(`insert into ${schema}.${name} values ${values.join(', ')}`);
    }
  }
}

async function assertNothingElse(source: Source, policyCase: PolicyCase): Promise<void> {
  await fill(source, policyCase);
  const columns = ['id', 'region', 'amount', 'secret'].map((name) => ({
    name,
    sourceType: name === 'id' || name === 'amount' ? 'integer' : source.dialect === 'duckdb' ? 'varchar' : 'text',
  }));
  const policies = new SourcePolicies({
    dialect: source.dialect,
    policies: policyCase.policies,
    tables: tableNames.map((name) => ({ schema: source.schema, name, columns })),
    searchPath: [source.schema],
    maskKey,
  });
  const hasMasks = policyCase.policies.some(({ masks }) => masks.length > 0);
  for (const query of policyCase.queries) {
    const sql = query.replaceAll('@', source.schema);
    const compiled = await policies.compile({ sql, caller: policyCase.caller });
    const actual = await source.run(compiled.sql, compiled.values, source.schema);
    const expected = await source.run(query.replaceAll('@', 'allowed'), [], 'allowed');
    if ('rows' in actual && 'rows' in expected) {
      expect(actual.rows, compiled.sql).toEqual(expected.rows);
    } else if ('failure' in actual) {
      // Only the visible may fail, as a mask may make it; when it does is the optimiser's choice.
      expect(actual.failure, compiled.sql).not.toContain('hid-');
      expect(hasMasks || 'failure' in expected, `${compiled.sql}: ${actual.failure}`).toBe(true);
    }
  }
}

const wordsOf = {
  postgres: (alias: string) => `row_to_json(${alias})::text`,
  duckdb: (alias: string) => `cast(to_json(${alias}) as varchar)`,
};
const tableForms = ['t1', 't2', 't3', 'T1', '"t2"', '@.t1', '@ . "t3"', '/* t1 */ t2'];

async function check(source: Source): Promise<void> {
  const queries = queryCases({ wholeRow: wordsOf[source.dialect], tableForms });
  const property = fc.asyncProperty(policyCases(queries), (policyCase) => assertNothingElse(source, policyCase));
  await fc.assert(property, { numRuns: cases, endOnFailure: false });
}

describe('a random query under random policies shows what it would show of copies that hold only the allowed rows', () => {
  let server: PostgresServer;
  let client: pg.Client;
  let instance: DuckDBInstance;
  let connection: DuckDBConnection;
  const tables = (schema: string): string =>
    tableNames.map((name) => `create table ${schema}.${name} (id int, region text, amount int, secret text)`).join(';');

  beforeAll(async () => {
    server = await PostgresServer.start();
    client = new pg.Client({ connectionString: server.url });
    await client.connect();
    await client.query(`create schema allowed; ${tables('public')}`);
    instance = await DuckDBInstance.create(':memory:', { threads: '1' });
    connection = await instance.connect();
    for (const statement of ['create schema allowed', ...tables('main').split(';')]) await connection.run(statement);
  });
  afterAll(async () => {
    await client.end();
    await server.stop();
    instance.closeSync();
  });

  it('on PostgreSQL', { timeout: 60_000 + cases * 500 }, async () => {
    const checked = check({
      dialect: 'postgres',
      schema: 'public',
      execute: async (sql) => void (await client.query(sql)),
      run: async (text, values, schema) => {
        await client.query(`set search_path = ${schema}`);
        try {
          const config = { text, values: values.map(({ value }) => value), rowMode: 'array' as const };
          const { rows } = await client.query<unknown[]>(config);
          return { rows: rows.map((row) => JSON.stringify(row)).sort() };
        } catch (error) {
          return { failure: String(error) };
        }
      },
    });
    await expect(checked).resolves.toBeUndefined();
  });

  it('on DuckDB', { timeout: 60_000 + cases * 500 }, async () => {
    const checked = check({
      dialect: 'duckdb',
      schema: 'main',
      execute: async (sql) => void (await connection.run(sql)),
      run: async (sql, values, schema) => {
        await connection.run(`set schema = '${schema}'`);
        try {
          const reader = await connection.runAndReadAll(
            sql,
            values.map(({ value }) => value),
          );
          return {
            rows: reader
              .getRowsJson()
              .map((row) => JSON.stringify(row))
              .sort(),
          };
        } catch (error) {
          return { failure: String(error) };
        }
      },
    });
    await expect(checked).resolves.toBeUndefined();
  });
});
