import { describe, expect, it } from 'vitest';
import { aCaller, aPolicy, shortened, somePolicies } from '../../test/policy-builders.js';

const compiled = async (sql: string, valueCount = 0): Promise<string> =>
  shortened((await somePolicies().compile({ sql, valueCount, caller: aCaller() })).sql);

describe('compiling for PostgreSQL puts a fence in place of a governed table', () => {
  it.each([
    ['by its name', 'select * from flights', 'select * from <flights> as "flights"'],
    ['by an alias', 'select f.id from flights f', 'select f.id from <flights> f'],
    ['with names for its columns', 'select a from flights as f (a, b)', 'select a from <flights> as f (a, b)'],
    ['with its schema', 'select * from public.flights', 'select * from <flights> as "flights"'],
    ['with its catalog', 'select 1 from air.public.flights f', 'select 1 from <flights> f'],
    ['in capitals', 'select * from FLIGHTS', 'select * from <flights> as "flights"'],
    ['in quotes', 'select * from "public" . /* a */ "flights"', 'select * from <flights> as "flights"'],
    ['in escapes', `select * from U&"fl\\0069ghts" x`, 'select * from <flights> x'],
    ['in escapes of its own', `select * from U&"fl!0069ghts" uescape '!' x`, 'select * from <flights> x'],
    ['behind wide characters', `select 'é😀', * from flights`, `select 'é😀', * from <flights> as "flights"`],
    ['with its children, in words', 'select * from flights * f', 'select * from <flights> f'],
    ['by the command TABLE', 'table flights', 'select * from <flights> as "flights"'],
    [
      'by TABLE in a subquery',
      'select * from (table flights) f',
      'select * from (select * from <flights> as "flights") f',
    ],
    [
      'in both sides of a join with USING',
      'select * from flights a join flights b using (id)',
      'select * from <flights> a join <flights> b using (id)',
    ],
    [
      'in every arm of a set operation',
      'select id from flights union all (select id from airports except select id from flights)',
      'select id from <flights> as "flights" union all (select id from airports except select id from <flights> as "flights")',
    ],
    [
      'in subqueries of every clause',
      'select (select max(id) from flights) from airports where exists (select 1 from flights) group by id having count(*) > (select 1 from flights) order by (select 1 from flights) limit (select 1 from flights)',
      'select (select max(id) from <flights> as "flights") from airports where exists (select 1 from <flights> as "flights") group by id having count(*) > (select 1 from <flights> as "flights") order by (select 1 from <flights> as "flights") limit (select 1 from <flights> as "flights")',
    ],
    [
      'in a lateral subquery',
      'select * from airports a, lateral (select * from flights f where f.id = a.id) l',
      'select * from airports a, lateral (select * from <flights> f where f.id = a.id) l',
    ],
    [
      'in an argument of a function in FROM',
      'select * from generate_series(1, (select max(id) from flights)) g',
      'select * from generate_series(1, (select max(id) from <flights> as "flights")) g',
    ],
    [
      'in VALUES and in an array',
      'values ((select min(id) from flights)), ((array(select id from flights))[1])',
      'values ((select min(id) from <flights> as "flights")), ((array(select id from <flights> as "flights"))[1])',
    ],
    [
      'as whole rows',
      'select flights, flights.*, row_to_json(flights) from flights',
      'select flights, flights.*, row_to_json(flights) from <flights> as "flights"',
    ],
  ])('%s', async (_how, sql, expected) => {
    expect(await compiled(sql)).toBe(expected);
  });

  it('and keeps ONLY, with and without parentheses', async () => {
    const fence =
      /^select 1 from \(select sluice_row\.\* from only "public"\."flights" as sluice_row where .* offset 0\) f$/s;
    expect(await compiled('select 1 from only flights f')).toMatch(fence);
    expect(await compiled('select 1 from only (flights) f')).toMatch(fence);
  });

  it('of that name alone: another schema’s table of the same name stays', async () => {
    expect(await compiled('select * from other.flights')).toBe('select * from other.flights');
  });
});

describe('a common table expression hides a governed table for PostgreSQL', () => {
  it.each([
    [
      'in the body, and not in itself',
      'with flights as (select * from flights) select * from flights',
      'with flights as (select * from <flights> as "flights") select * from flights',
    ],
    [
      'in those behind it, and not in those before',
      'with a as (select * from flights), flights as (select 1), b as (select * from flights) select * from a, b, flights',
      'with a as (select * from <flights> as "flights"), flights as (select 1), b as (select * from flights) select * from a, b, flights',
    ],
    [
      'in all of them, where they may be recursive',
      'with recursive a as (select * from flights), flights as (select 1 as id union select id from flights) select * from a',
      'with recursive a as (select * from flights), flights as (select 1 as id union select id from flights) select * from a',
    ],
    [
      'in its subqueries, and not beside them',
      'select * from (with flights as (select 1) select * from flights) a, flights',
      'select * from (with flights as (select 1) select * from flights) a, <flights> as "flights"',
    ],
    [
      'not under its schema’s name',
      'with flights as (select 1) select * from public.flights',
      'with flights as (select 1) select * from <flights> as "flights"',
    ],
    [
      'in all arms of a set operation',
      'with flights as (select 1) select * from flights union select * from flights',
      'with flights as (select 1) select * from flights union select * from flights',
    ],
    [
      'only as it is written',
      'with "Flights" as (select 1) select * from flights',
      'with "Flights" as (select 1) select * from <flights> as "flights"',
    ],
  ])('%s', async (_where, sql, expected) => {
    expect(await compiled(sql)).toBe(expected);
  });
});

describe('compiling for PostgreSQL numbers', () => {
  it('its values behind those of the query, once for each table', async () => {
    const sql = 'select * from flights a join flights b using (id) where a.delay > $1 and b.delay < $2';
    const result = await somePolicies().compile({ sql, valueCount: 2, caller: aCaller() });
    expect(result.sql.match(/\$\d/g)).toEqual(['$3', '$3', '$1', '$2']);
    expect(result.values).toEqual([{ type: 'text', value: 'EU' }]);
  });

  it('so that no query can name a value of a policy', async () => {
    await expect(compiled('select $1 from flights')).rejects.toMatchObject({ code: 'sql.rejected' });
    await expect(compiled('select $2 from flights', 1)).rejects.toMatchObject({ code: 'sql.rejected' });
  });
});

describe('compiling for PostgreSQL refuses, with one message for all readers,', () => {
  it.each([
    ['an unknown table', 'select * from nowhere'],
    ['an unknown schema', 'select * from nowhere.flights'],
    ['another catalog', 'select * from elsewhere.public.flights'],
    ['a sample of a governed table’s blocks', 'select * from flights tablesample system (10)'],
    [
      'the name of the fence’s own rows',
      'select * from (values (1, 2)) sluice_row (id, region), lateral (select * from flights) f',
    ],
    ['that name in capitals and quotes', 'select 1 as "SLUICE_ROW" from flights'],
    ['that name in escapes', 'select 1 as U&"sluice\\005frow" from flights'],
    ['catalogs that hold values or definitions', 'select * from pg_attrdef'],
    ['views of definitions', 'select * from pg_views'],
    ['the standard’s views of definitions', 'select * from information_schema.views'],
    ['the catalog of counts', 'select relname, reltuples, relpages from pg_class'],
    ['the catalog of counts in a subquery', 'select (select c.reltuples from pg_catalog.pg_class c limit 1)'],
    ['the last values of sequences', 'select last_value from pg_sequences'],
    ['a sequence', 'select last_value from flights_id_seq'],
    ['definitions', `select pg_get_viewdef('v'::regclass), id from flights`],
    ['definitions of constraints', 'select pg_catalog.pg_get_constraintdef(1)'],
    ['definitions of indexes', `select "pg_get_indexdef"('i'::regclass)`],
    ['keys of partitions', `select pg_get_partkeydef('flights'::regclass)`],
    ['stored expressions', `select pg_get_expr('x', 'flights'::regclass)`],
    ['sizes of tables', `select pg_table_size('flights')`],
    ['sizes in FROM', `select * from pg_relation_size('flights')`],
    ['sizes of indexes', `select id from airports where pg_indexes_size('flights') > 8192`],
    ['sizes in a common table expression', `with s as (select pg_total_relation_size('flights')) select * from s`],
  ])('%s', async (_what, sql) => {
    await expect(compiled(sql)).rejects.toMatchObject({
      code: 'sql.rejected',
      publicMessage: 'This statement cannot be run under the row policies of its data source.',
      details: { reason: expect.any(String) },
    });
  });

  it.each(['pg_stats', 'pg_statistic', 'pg_stats_ext', 'pg_catalog.pg_stats_ext_exprs'])(
    'statistics, which hold the most common values: %s',
    async (relation) => {
      await expect(compiled(`select * from ${relation}`)).rejects.toMatchObject({ code: 'sql.not_read_only' });
    },
  );

  it('nothing of that from a caller to whom no policy applies', async () => {
    const policies = somePolicies({ policies: [aPolicy({ exemptGroupNames: ['admins'] })] });
    const caller = aCaller({ groupNames: ['admins'] });
    const sql = `select *, pg_table_size('flights') from nowhere, flights, pg_views, pg_class`;
    expect(await policies.compile({ sql, caller })).toMatchObject({ sql, values: [], policyIds: [], fingerprint: '' });
  });

  it('and lets tables and columns be looked up', async () => {
    const sql = 'select * from information_schema.columns, pg_type, pg_catalog.pg_namespace';
    expect(await compiled(sql)).toBe(sql);
  });

  it('and lets functions of the server be called that look at their arguments alone', async () => {
    const sql = `select pg_typeof(1), pg_size_pretty(pg_column_size('a')::bigint), format_type(23, null)`;
    expect(await compiled(sql)).toBe(sql);
  });

  it('and lets what the source’s owner has allowed by name do what it does', async () => {
    const policies = somePolicies({ allowedFunctions: ['pg_table_size'] });
    const sql = `select pg_table_size('airports')`;
    expect(await policies.compile({ sql, caller: aCaller() })).toMatchObject({ sql });
  });
});

describe('a text that is compiled for PostgreSQL', () => {
  it('is refused rather than run where the fence did not land where the parser put the table', async () => {
    // The word TABLE is not where the command’s name is expected, and no guess is made.
    await expect(compiled('table /* of */ flights')).rejects.toMatchObject({ code: 'sql.rejected' });
    await expect(compiled('select * from only /* these */ flights')).rejects.toMatchObject({ code: 'sql.rejected' });
  });

  it('tells the tables that it names, as it names them, for invalidation', async () => {
    const sql = 'with x as (select 1) select * from FLIGHTS, other.flights, x, airports, flights f';
    const { tables } = await somePolicies().compile({ sql, caller: aCaller() });
    expect(tables).toEqual([{ name: 'flights' }, { schema: 'other', name: 'flights' }, { name: 'airports' }]);
  });

  it('quotes odd names', async () => {
    const policies = somePolicies({ policies: [aPolicy({ table: { name: 'Odd "name' } })] });
    const { sql } = await policies.compile({ sql: 'select * from "Odd ""name"', caller: aCaller() });
    expect(sql).toContain('from "public"."Odd ""name" as sluice_row');
    expect(sql).toContain(') as "Odd ""name"');
  });
});
