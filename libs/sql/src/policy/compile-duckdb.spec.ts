import { describe, expect, it } from 'vitest';
import { aCaller, shortened, somePolicies } from '../../test/policy-builders.js';

const compiled = async (sql: string, valueCount = 0): Promise<string> =>
  shortened((await somePolicies({ dialect: 'duckdb' }).compile({ sql, valueCount, caller: aCaller() })).sql);

describe('compiling for DuckDB puts a fence in place of a governed table', () => {
  it.each([
    ['by its name', 'select * from flights', 'select * from <flights> as "flights"'],
    ['in any case', 'select * from "FLIGHTS" F', 'select * from <flights> F'],
    ['with FROM first', 'from flights', 'from <flights> as "flights"'],
    ['with its schema and catalog', 'select 1 from air . main . flights f', 'select 1 from <flights> f'],
    ['behind wide characters', `select 'é😀', * from flights`, `select 'é😀', * from <flights> as "flights"`],
    ['with an alias in front', 'select * from x: flights', 'select * from x: <flights>'],
    ['with names for its columns', 'select a from flights as f (a, b)', 'select a from <flights> as f (a, b)'],
    [
      'under a sample, which is then of the allowed rows',
      'select * from flights tablesample 10%',
      'select * from <flights> as "flights" tablesample 10%',
    ],
    [
      'in PIVOT',
      `pivot flights on region in ('EU') using count(*)`,
      `pivot <flights> as "flights" on region in ('EU') using count(*)`,
    ],
    [
      'in PIVOT and UNPIVOT behind the table',
      `select * from flights pivot (count(*) for region in ('EU'))`,
      `select * from <flights> as "flights" pivot (count(*) for region in ('EU'))`,
    ],
    [
      'in positional and as-of joins',
      'select * from flights positional join airports asof join flights f on airports.id >= f.id',
      'select * from <flights> as "flights" positional join airports asof join <flights> f on airports.id >= f.id',
    ],
    [
      'in semi joins and UNION BY NAME',
      'select * from airports semi join flights using (id) union by name from flights',
      'select * from airports semi join <flights> as "flights" using (id) union by name from <flights> as "flights"',
    ],
    [
      'in subqueries, lateral too',
      'select (select max(id) from flights), list(a) from airports a, lateral (select * from flights where id = a.id) l where a.id in (from flights select id)',
      'select (select max(id) from <flights> as "flights"), list(a) from airports a, lateral (select * from <flights> as "flights" where id = a.id) l where a.id in (from <flights> as "flights" select id)',
    ],
    [
      'as whole rows and by COLUMNS',
      `select flights, columns('.*'), unnest(flights) from flights`,
      `select flights, columns('.*'), unnest(flights) from <flights> as "flights"`,
    ],
    [
      'under a common table expression that takes its name in any case',
      'with a as (from flights), FLIGHTS as (from flights), b as (from Flights) from a, b, main.flights',
      'with a as (from <flights> as "flights"), FLIGHTS as (from <flights> as "flights"), b as (from Flights) from a, b, <flights> as "flights"',
    ],
    [
      'in the first arm of a recursion of its name, not in the second',
      'with recursive flights as (select id from flights union all select id + 1 from flights where id < 3) from flights',
      'with recursive flights as (select id from <flights> as "flights" union all select id + 1 from flights where id < 3) from flights',
    ],
  ])('%s', async (_how, sql, expected) => {
    expect(await compiled(sql)).toBe(expected);
  });

  it('and binds its values behind those of the query', async () => {
    const sql = 'select * from flights where delay > $1';
    const result = await somePolicies({ dialect: 'duckdb' }).compile({ sql, valueCount: 1, caller: aCaller() });
    expect(result.sql.match(/\$\d/g)).toEqual(['$2', '$1']);
  });
});

describe('compiling for DuckDB refuses', () => {
  it.each([
    ['an unknown table, which a file may have for its name', 'select * from nowhere'],
    ['another catalog or schema', 'select * from elsewhere.flights'],
    ['the name of the fence’s own rows', 'select (select count(*) from flights) from airports as Sluice_Row(region)'],
    ['the text of constraints', 'select constraint_text from information_schema.constraint_column_usage'],
    ['an earlier version of a table', 'select * from flights at (version => 1)'],
    ['the command TABLE, which has no place for a subquery', 'table flights'],
    ['a table’s name as a string', `select * from 'flights'`],
  ])('%s', async (_what, sql) => {
    await expect(compiled(sql)).rejects.toMatchObject({
      code: 'sql.rejected',
      publicMessage: 'This statement cannot be run under the row policies of its data source.',
    });
  });

  it.each([
    ['SUMMARIZE', 'summarize flights'],
    ['DESCRIBE in a subquery', 'select * from (describe flights)'],
    ['files', `select * from 'flights.parquet'`],
    ['functions that read tables', `select * from query_table('flights')`],
    ['functions that run SQL', `select * from query('from flights')`],
    ['the engine’s views', 'select * from duckdb_views()'],
    ['counts that the engine estimates', 'select table_name, estimated_size from duckdb_tables()'],
    ['counts by the name of a view', 'select estimated_size from duckdb_tables'],
    ['statistics of columns', 'select * from duckdb_columns()'],
    ['blocks of a table', `select * from pragma_storage_info('flights')`],
    ['facts about a table', `select * from pragma_table_info('flights')`],
    ['statistics of a value', 'select stats(id) from airports'],
    ['row groups of a file', `select * from parquet_metadata('flights.parquet')`],
    ['counts of a file', `select num_rows from parquet_file_metadata('flights.parquet')`],
    ['the catalog of PostgreSQL’s names', 'select reltuples from pg_class'],
    ['that catalog in its schema', 'select * from pg_catalog.pg_class'],
    ['sizes by PostgreSQL’s names', `select pg_total_relation_size('flights')`],
    ['SUMMARIZE in a subquery', 'select * from (summarize flights)'],
  ])('%s', async (_what, sql) => {
    await expect(compiled(sql)).rejects.toMatchObject({ code: 'sql.not_read_only' });
  });
});
