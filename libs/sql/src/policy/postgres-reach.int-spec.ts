import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresServer } from '#libs/testing';
import { aCaller, aPolicy } from '../../test/policy-builders.js';
import {
  postgresReachCheck,
  postgresReachFault,
  SourcePolicies,
  type CompiledQuery,
  type KnownTable,
  type ReachRow,
  type RowPolicy,
} from '../index.js';

const schemaOfTheSource = `
  create table flights (id int, region text);
  create table airports (id int);
  create view by_name as select * from flights;
  create view over_view as select id from by_name;
  create view in_subquery as select id from airports where exists (select 1 from flights);
  create materialized view kept as select * from flights;
  create view renamed (id, place) as select id, region from flights;
  create function all_flights() returns table (id int) language sql stable as 'select id from flights';
  create view by_function as select * from all_flights();
  create view harmless as select id, lower('A') from airports;
  create table parent (id int, region text) partition by list (region);
  create table child_eu partition of parent for values in ('EU');
  create table child_us partition of parent for values in ('US');
  create table old_parent (id int, region text);
  create table old_child () inherits (old_parent);
  create schema first;
  insert into flights values (1, 'EU'), (2, 'US');
  insert into parent values (1, 'EU'), (2, 'US');
  insert into old_child values (1, 'EU'), (2, 'US');
  refresh materialized view kept`;

const knownNames = [
  ...['flights', 'airports', 'by_name', 'over_view', 'in_subquery', 'kept', 'renamed', 'by_function', 'harmless'],
  ...['parent', 'child_eu', 'child_us', 'old_parent', 'old_child'],
];

describe('before a statement runs, PostgreSQL is asked', () => {
  let server: PostgresServer;
  let client: pg.Client;
  let tables: KnownTable[];

  beforeAll(async () => {
    server = await PostgresServer.start();
    client = new pg.Client({ connectionString: server.url });
    await client.connect();
    await client.query(schemaOfTheSource);
    const { rows } = await client.query<{ name: string; columns: { name: string; sourceType: string }[] }>(
      `
      select attrelid::regclass::text as name,
             json_agg(json_build_object('name', attname, 'sourceType', format_type(atttypid, atttypmod)) order by attnum) as columns
        from pg_attribute where attrelid::regclass::text = any ($1) and attnum > 0 group by 1`,
      [knownNames],
    );
    tables = rows.map((row) => ({ schema: 'public', ...row }));
  });
  afterAll(async () => {
    await client.end();
    await server.stop();
  });

  const compile = (sql: string, ...policies: RowPolicy[]): Promise<CompiledQuery> =>
    new SourcePolicies({ dialect: 'postgres', policies, tables, searchPath: ['public'], maskKey: 'key' }).compile({
      sql,
      caller: aCaller(),
    });

  async function faultOf({ reach }: CompiledQuery): Promise<string | undefined> {
    if (!reach) return undefined;
    const check = postgresReachCheck(reach);
    const { rows } = await client.query<ReachRow>(check.sql, [...check.values]);
    return postgresReachFault(reach, rows);
  }

  it.each(['by_name', 'over_view', 'in_subquery', 'kept', 'renamed'])(
    'whether a view shows rows of a governed table, and %s is refused',
    async (view) => {
      expect(await faultOf(await compile(`select * from ${view}`, aPolicy()))).toContain('public.flights');
    },
  );

  it('whether a view calls a function that may read any table', async () => {
    expect(await faultOf(await compile('select * from by_function', aPolicy()))).toContain('all_flights');
  });

  it('and lets what reaches no governed table pass', async () => {
    const compiled = await compile('select * from airports a, harmless h, flights f', aPolicy());
    expect(await faultOf(compiled)).toBeUndefined();
  });

  it.each(['child_eu', 'child_us'])('whether a partition belongs to a governed table: %s', async (partition) => {
    const policy = aPolicy({ table: { name: 'parent' } });
    expect(await faultOf(await compile(`select * from ${partition}`, policy))).toContain('public.parent');
    const { sql, values, ...compiled } = await compile('select id from parent', policy);
    expect(await faultOf({ sql, values, ...compiled })).toBeUndefined();
    expect(
      (
        await client.query(
          sql,
          values.map(({ value }) => value),
        )
      ).rows,
    ).toEqual([{ id: 1 }]);
  });

  it('whether a parent shows rows of a governed child; another child does not', async () => {
    const policy = aPolicy({ table: { name: 'child_eu' } });
    expect(await faultOf(await compile('select * from parent', policy))).toContain('public.child_eu');
    expect(await faultOf(await compile('select * from child_us', policy))).toBeUndefined();
    const inherited = aPolicy({ table: { name: 'old_child' } });
    expect(await faultOf(await compile('select * from old_parent', inherited))).toContain('public.old_child');
  });

  it('and lets a view pass that is under the same policies as its table, and not one that is under fewer', async () => {
    const policy = aPolicy({ table: null });
    expect(await faultOf(await compile('select * from by_name', policy))).toBeUndefined();
    expect(await faultOf(await compile('select * from parent', policy))).toBeUndefined();
    expect(await faultOf(await compile('select * from over_view', policy))).toContain('public.by_name');
    expect(await faultOf(await compile('select * from by_name', policy, aPolicy({ id: 'pol_2' })))).toContain(
      'flights',
    );
  });

  it('about governed tables that Sluice does not know', async () => {
    tables = tables.filter(({ name }) => name !== 'flights');
    try {
      expect(await faultOf(await compile('select * from kept', aPolicy()))).toContain('public.flights');
    } finally {
      tables = [...tables, { schema: 'public', name: 'flights', columns: [{ name: 'region', sourceType: 'text' }] }];
    }
  });

  it('whether a name means the table that was fenced, or let pass', async () => {
    const compiled = await compile('select * from airports', aPolicy());
    await client.query('begin; create table first.airports (id int); set local search_path = first, public');
    expect(await faultOf(compiled)).toContain('first.airports');
    await client.query('rollback; begin; alter table airports rename to gone');
    expect(await faultOf(compiled)).toBe('airports is not there any more.');
    await client.query('rollback');
  });

  it('in a few milliseconds', async () => {
    const compiled = await compile('select 1 from flights, airports, parent, kept, old_parent', aPolicy());
    const check = compiled.reach && postgresReachCheck(compiled.reach);
    const times: number[] = [];
    for (let round = 0; round < 30; round += 1) {
      const start = performance.now();
      await client.query({ name: 'reach', text: check?.sql ?? '', values: [...(check?.values ?? [])] });
      times.push(performance.now() - start);
    }
    expect(times.sort((left, right) => left - right)[15]).toBeLessThan(50);
  });

  it('nothing where no policy applies', async () => {
    const compiled = await compile('select * from kept', aPolicy({ groupNames: ['others'] }));
    expect(compiled.reach).toBeUndefined();
  });
});
