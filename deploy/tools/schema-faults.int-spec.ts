import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { DataSource, type QueryRunner } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { format } from 'prettier';
import { schemaFaults, type DatabaseSchema } from './schema-faults.js';
import { serviceMigrations } from './service-migrations.js';

/** The schema of the release before, as `npm run schema:baseline` has written it when that was made. */
const baseline = resolve(import.meta.dirname, 'schema-baseline.json');

/** Where `npm run check:upgrade` wants what this release does to a database, statement by statement. */
const recording = process.env['SLUICE_TEST_SCHEMA'];

let server: PostgresServer;
let database: DataSource;
const statements: string[] = [];
beforeAll(async () => {
  server = await startPostgres();
  const url = await server.createDatabase();
  database = await new DataSource({ type: 'postgres', url }).initialize();
  const migrations = await serviceMigrations();
  for (const service of new Set(migrations.map((each) => each.service))) {
    await say(database, `create schema ${service}`);
    // The service's own name for its table of migrations, and that of its tests.
    for (const table of ['migration', 'migrations']) await say(database, migrationTable(service, table));
    const own = await new DataSource({ type: 'postgres', url, schema: service }).initialize();
    for (const { migration, timestamp, name } of migrations.filter((each) => each.service === service)) {
      const runner = own.createQueryRunner();
      await migration.up(recorded(runner));
      await runner.release();
      for (const table of ['migration', 'migrations']) {
        await say(database, `insert into ${service}.${table} (timestamp, name) values (${timestamp}, '${name}')`);
      }
    }
    await own.destroy();
  }
}, 120_000);
afterAll(async () => {
  await database.destroy();
  await server.stop();
  if (recording !== undefined) await writeFile(recording, JSON.stringify(statements));
});

/** As TypeORM makes it. */
function migrationTable(service: string, table: string): string {
  return `create table ${service}.${table} (id serial primary key, timestamp bigint not null, name varchar not null)`;
}

async function say(on: DataSource, statement: string): Promise<void> {
  statements.push(statement);
  await on.query(statement);
}

function recorded(runner: QueryRunner): QueryRunner {
  const query = runner.query.bind(runner);
  runner.query = ((text: string, ...rest: []) => {
    statements.push(text);
    return query(text, ...rest);
  }) as QueryRunner['query'];
  return runner;
}

async function present(): Promise<DatabaseSchema> {
  const columns: { name: string; type: string; is_nullable: boolean; has_default: boolean }[] = await database.query(
    `select format('%s.%s.%s', n.nspname, c.relname, a.attname) as name, format_type(a.atttypid, a.atttypmod) as type,
       not a.attnotnull as is_nullable, a.atthasdef or a.attidentity <> '' as has_default
     from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'v') and not c.relispartition and a.attnum > 0 and not a.attisdropped
       and n.nspname in ('auth', 'metadata', 'orchestrator', 'results') and c.relname not like 'migration%' order by 1`,
  );
  const functions: { signature: string }[] = await database.query(
    `select format('%s.%s(%s) %s', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid),
       pg_get_function_result(p.oid)) as signature
     from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where n.nspname in ('auth', 'metadata', 'orchestrator', 'results') order by 1`,
  );
  return {
    columns: Object.fromEntries(
      columns.map(({ name, type, is_nullable, has_default }) => [
        name,
        { type, isNullable: is_nullable, hasDefault: has_default },
      ]),
    ),
    functions: functions.map(({ signature }) => signature),
  };
}

describe('The schema', () => {
  it('has all that the release before relies on, and asks it for nothing new', async () => {
    const now = await present();
    if (process.env['SLUICE_SCHEMA_BASELINE'] === 'write') {
      await writeFile(baseline, await format(JSON.stringify(now), { parser: 'json' }));
    }
    const before = JSON.parse(await readFile(baseline, 'utf8')) as DatabaseSchema;
    expect(Object.keys(before.columns).length).toBeGreaterThan(200);
    expect(schemaFaults(before, now)).toEqual([]);
  });
});

describe('What the release before would miss', () => {
  const column = { type: 'text', isNullable: true, hasDefault: false };
  const before: DatabaseSchema = { columns: { 's.t.a': column }, functions: ['s.f(a text) integer'] };

  it.each([
    [{ ...before, columns: {} }, 's.t.a is gone'],
    [{ ...before, columns: { 's.t.a': { ...column, type: 'integer' } } }, 's.t.a was text and is integer'],
    [
      { ...before, columns: { 's.t.a': { ...column, isNullable: false } } },
      's.t.a could be null and must not be any more',
    ],
    [
      { ...before, columns: { ...before.columns, 's.t.b': { ...column, isNullable: false } } },
      's.t.b is new and must be written',
    ],
    [{ ...before, functions: [] }, 's.f(a text) integer is gone'],
  ])('is told (%#)', (now, fault) => {
    expect(schemaFaults(before, now)).toEqual([fault]);
  });
});
