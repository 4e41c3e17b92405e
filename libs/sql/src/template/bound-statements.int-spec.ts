import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '#libs/kernel';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { bindTemplate, type ParameterDefinition, type SqlDialect } from '../index.js';

const table = `create table t as
  select 5 as n, cast('2026-11-21' as date) as d, cast('2026-11-21 07:30:00' as timestamp) as ts,
         cast('2026-11-21 07:30:00+00' as timestamptz) as tz, 'it''s \\n' as s, 1.25 as x, true as b, '2026-11-21' as day`;

/** A template, its values, and the statement that an author would have written with these values in it. */
const cases: readonly (readonly [template: string, given: JsonObject, literal: string])[] = [
  [
    'select n from t where d = \'{{ v | date("YYYY-MM-DD") }}\'',
    { v: '2026-11-21' },
    "select n from t where d = '2026-11-21'",
  ],
  [
    "select n from t where ts >= '{{ v }}' and tz >= '{{ v }}'",
    { v: '2026-11-21' },
    "select n from t where ts >= '2026-11-21' and tz >= '2026-11-21'",
  ],
  ["select n from t where day = '{{ v | date }}'", { v: '2026-11-21' }, "select n from t where day = '2026-11-21'"],
  [
    'select n from t where d = {{ v | date }} and ts > {{ v | datetime }} and tz > {{ v | datetime }}',
    { v: '2026-11-21' },
    "select n from t where d = date '2026-11-21' and ts > timestamp '2026-11-21' and tz > timestamptz '2026-11-21 00:00:00Z'",
  ],
  [
    'select n from t where n = {{ v }} and n in ({{ l | list }})',
    { v: 5, l: [5, '6', 10_000_000_000] },
    'select n from t where n = 5 and n in (5, 6, 10000000000)',
  ],
  ["select n from t where n = '{{ v }}'", { v: 5 }, "select n from t where n = '5'"],
  ['select d - {{ v | int }} as v from t', { v: '2' }, 'select d - 2 as v from t'],
  [
    'select n / {{ v }} as v, x * {{ w | number }} as w from t',
    { v: 2, w: '1.50' },
    'select n / 2 as v, x * 1.50 as w from t',
  ],
  ['select {{ v | number }} as v from t', { v: '123456789012.345678901' }, 'select 123456789012.345678901 as v from t'],
  ["select s from t where s like '%{{ v }}%'", { v: "'s" }, "select s from t where s like '%''s%'"],
  [
    "select E'\\n{{ v }}\\\\' as v from t",
    { v: "'; drop table t; -- \\" },
    "select E'\\n''; drop table t; -- \\\\\\\\' as v from t",
  ],
  ["select E'a'\n'\\'{{ v }}' as v from t", { v: 'b' }, "select E'a'\n'\\'b' as v from t"],
  ["select E'a' -- '\n'\\'{{ v }}' as v from t", { v: 'b' }, "select E'a' -- '\n'\\'b' as v from t"],
  ["select '{{ v }}'\n'b' as v from t", { v: 'a' }, "select 'a'\n'b' as v from t"],
  ["select s from t where s = '{{ v }}'", { v: "it's \\n" }, "select s from t where s = 'it''s \\n'"],
  ['select s from t where s = {{ v }}', { v: "it's \\n" }, "select s from t where s = 'it''s \\n'"],
  [
    "select cast(date '{{ v }}' as varchar) as v from t where ts > timestamp '{{ v }} 00:00:00' and tz < timestamp with time zone '{{ v }} 23:00:00+00'",
    { v: '2026-11-21' },
    "select cast(date '2026-11-21' as varchar) as v from t where ts > timestamp '2026-11-21 00:00:00' and tz < timestamp with time zone '2026-11-21 23:00:00+00'",
  ],
  [
    "select cast(ts - interval '{{ n }} days' as varchar) as v from t",
    { n: 3 },
    "select cast(ts - interval '3 days' as varchar) as v from t",
  ],
  [
    "select cast('{{ v }}' as date) = d as v, '{{ v }}'::date = d as w from t",
    { v: '2026-11-21' },
    "select cast('2026-11-21' as date) = d as v, '2026-11-21'::date = d as w from t",
  ],
  ['select b from t where b = {{ v }}', { v: true }, 'select b from t where b = true'],
  [
    'select coalesce({{ v | int }}, n) as v from t where {{ v | int }} is null',
    { v: null },
    'select coalesce(null, n) as v from t where null is null',
  ],
  ['select n from t where n in ({{ none | list }})', { none: [] }, 'select n from t where false'],
  ['select n from t where n not in ({{ none | list }})', { none: [] }, 'select n from t where false'],
  ['select n from t limit {{ v | int }} offset {{ w }}', { v: 1, w: 0 }, 'select n from t limit 1 offset 0'],
  ['select {{ v }} as v, {{ v | text }} as w from t', { v: 'a' }, "select 'a' as v, 'a' as w from t"],
  [
    'select concat({{ v | text }}, {{ w | text }}) as v from t',
    { v: 'a', w: 'b' },
    "select concat('a', 'b') as v from t",
  ],
  [
    'select case when s like {{ v }} then {{ n }} else -{{ n }} end as v from t',
    { v: 'it%', n: 3 },
    "select case when s like 'it%' then 3 else -3 end as v from t",
  ],
  ['select -{{ n }} as v, 1 -{{ n }} as w from t', { n: -3 }, 'select -(-3) as v, 1 - (-3) as w from t'],
  ['select t.{{ c | identifier }} as v from t', {}, 'select t."day" as v from t'],
];

const column: ParameterDefinition = {
  ...{ name: 'c', type: 'TEXT', multiple: false, required: false, default: 'day' },
  options: [{ value: 'day' }],
};

function bind(text: string, given: JsonObject, dialect: SqlDialect) {
  const options = { nowMs: 0, timeZone: 'UTC', definitions: [column], caller: undefined };
  const { sql, values } = bindTemplate({ ...options, text, dialect, given });
  return { sql, values: values.map(({ value }) => value) };
}

describe('in PostgreSQL a bound statement', () => {
  let server: PostgresServer;
  let client: pg.Client;
  beforeAll(async () => {
    server = await startPostgres();
    client = new pg.Client({ connectionString: server.url });
    await client.connect();
    await client.query("set timezone = 'UTC'");
    await client.query(table);
  });
  afterAll(async () => {
    await client.end();
    await server.stop();
  });

  it.each(cases)('answers as the literals would: %s', async (template, given, literal) => {
    const { sql, values } = bind(template, given, 'postgres');
    // Text without a type: what the server makes of it is what it makes of a literal in quotes.
    const { rows } = await client.query<JsonObject>(sql, values);
    expect(rows).toEqual((await client.query<JsonObject>(literal)).rows);
  });

  it('takes a bare text for what stands beside it, and for a text where it is told so', async () => {
    await client.query("create type mood as enum ('sad', 'ok'); create table m as select 'ok'::mood as m");
    const bare = bind('select 1 as v from m where m = {{ v }}', { v: 'ok' }, 'postgres');
    expect((await client.query(bare.sql, bare.values)).rows).toHaveLength(1);
    const told = bind("select jsonb_build_object('a', {{ v | text }}) as v", { v: 'ok' }, 'postgres');
    expect((await client.query(told.sql, told.values)).rows).toEqual([{ v: { a: 'ok' } }]);
  });

  it('uses an index as the literals would', async () => {
    await client.query(
      "create table big as select n, n::text as s, now() + n * interval '1 minute' as tz, now()::timestamp + n * interval '1 minute' as ts from generate_series(1, 20000) n",
    );
    await client.query(
      'create index on big (n); create index on big (s); create index on big (tz); create index on big (ts); analyze big',
    );
    const predicates = [
      'n = {{ v | int }}',
      "s = '{{ v }}'",
      's = {{ v | text }}',
      'tz < {{ d | datetime }}',
      "ts < '{{ d | date }}'",
      'ts < {{ d | date }}',
      'ts < {{ d | datetime }}',
    ];
    for (const predicate of predicates) {
      const given: JsonObject = predicate.includes('v') ? { v: '7' } : { d: '2020-01-01' };
      const { sql, values } = bind(`explain select * from big where ${predicate}`, given, 'postgres');
      const { rows } = await client.query(sql, values);
      expect(JSON.stringify(rows), predicate).toMatch(/Index/);
    }
  });
});

describe('in DuckDB a bound statement', () => {
  let instance: DuckDBInstance;
  let connection: DuckDBConnection;
  beforeAll(async () => {
    instance = await DuckDBInstance.create(':memory:');
    connection = await instance.connect();
    await connection.run("set timezone = 'UTC'");
    await connection.run(table);
  });
  afterAll(() => instance.closeSync());

  async function rowsOf(sql: string, values: readonly (string | null)[] = []) {
    const statement = await connection.prepare(sql);
    for (const [index, value] of values.entries()) {
      if (value === null) statement.bindNull(index + 1);
      else statement.bindVarchar(index + 1, value);
    }
    return (await statement.runAndReadAll()).getRowObjectsJson();
  }

  it.each(cases)('answers as the literals would: %s', async (template, given, literal) => {
    const { sql, values } = bind(template, given, 'duckdb');
    expect(await rowsOf(sql, values)).toEqual(await rowsOf(literal));
  });
});
