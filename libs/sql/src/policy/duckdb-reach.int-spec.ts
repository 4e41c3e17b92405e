import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aCaller, aPolicy } from '../../test/policy-builders.js';
import { duckdbReachFault, duckdbViewsQuery, SourcePolicies, type DuckdbView, type RowPolicy } from '../index.js';

const statements = [
  'create table flights (id int, region varchar)',
  'create table airports (id int)',
  'create view by_name as select * from flights',
  'create view "Over ""View" as from main.BY_NAME',
  'create view in_subquery as select id from airports where exists (from flights)',
  'create view renamed (number, "a place") as select id, region from flights',
  'create macro all_flights() as table select * from flights',
  'create view by_macro as select * from all_flights()',
  'create macro newest() as (select max(id) from flights)',
  'create view by_scalar as select newest() as id',
  'create view harmless as with flights as (select 1 as id) select * from flights, airports',
  `create view file_a as select * from read_csv('/data/a.csv', columns = {'id': 'int', 'region': 'varchar'})`,
  `create view same_file as select id from read_csv('/data/a.csv', columns = {'id': 'int'})`,
  `create view other_file as select * from read_csv('/data/b.csv', columns = {'id': 'int'})`,
  'create schema side',
  'create view side.flights as select * from main.airports',
];

describe('before a statement runs, the views of a DuckDB instance tell', () => {
  let instance: DuckDBInstance;
  let connection: DuckDBConnection;
  let views: DuckdbView[];

  beforeAll(async () => {
    instance = await DuckDBInstance.create(':memory:');
    connection = await instance.connect();
    for (const statement of statements.filter((each) => !each.includes('read_csv'))) await connection.run(statement);
    const rows = (await connection.runAndReadAll(duckdbViewsQuery)).getRows();
    views = rows.map(([schema, name, sql]) => ({ schema: String(schema), name: String(name), sql: String(sql) }));
    // The files are not there, and their views need not be either.
    for (const sql of statements.filter((each) => each.includes('read_csv'))) {
      views.push({ schema: 'main', name: sql.split(' ')[2] ?? '', sql: sql.replace('create view', 'CREATE VIEW') });
    }
  });
  afterAll(() => instance.closeSync());

  const faultOf = async (sql: string, ...policies: RowPolicy[]): Promise<string | undefined> => {
    const columns = ['id', 'region'].map((name) => ({ name, sourceType: 'varchar' }));
    const names = [
      'flights',
      'airports',
      'file_a',
      ...views.filter(({ schema }) => schema === 'main').map(({ name }) => name),
    ];
    const tables = names.map((name) => ({
      schema: 'main',
      name,
      columns: name === 'flights' || name === 'by_name' || name === 'file_a' ? columns : columns.slice(0, 1),
    }));
    const { reach } = await new SourcePolicies({
      dialect: 'duckdb',
      policies,
      tables: [...tables, { schema: 'side', name: 'flights', columns }],
      searchPath: ['main'],
      maskKey: 'key',
    }).compile({ sql, caller: aCaller() });
    return reach && duckdbReachFault(reach, views);
  };

  it.each(['by_name', '"over ""view"', 'in_subquery', 'renamed'])(
    'that %s shows rows of a governed table',
    async (view) => {
      expect(await faultOf(`from ${view}`, aPolicy())).toContain('governs elsewhere');
    },
  );

  it('that a view calls a macro, which may read any table', async () => {
    expect(await faultOf('from by_macro', aPolicy())).toContain('cannot be read');
    expect(await faultOf('from by_scalar', aPolicy())).toContain('cannot be read');
  });

  it('and let pass what reaches no governed table', async () => {
    expect(await faultOf('from airports, flights, harmless, side.flights', aPolicy())).toBeUndefined();
  });

  it('that a view shows the file of a governed view', async () => {
    const policy = aPolicy({ table: { name: 'file_a' } });
    expect(await faultOf('from same_file', policy)).toContain('governs elsewhere');
    expect(await faultOf('from other_file, file_a', policy)).toBeUndefined();
  });

  it('and let a view pass that is under the same policies as its table', async () => {
    expect(await faultOf('from by_name', aPolicy({ table: null }))).toBeUndefined();
    expect(await faultOf('from "over ""view"', aPolicy({ table: null }))).toContain('governs elsewhere');
  });

  it('nothing good of a view whose text does not parse', async () => {
    views.push({ schema: 'main', name: 'torn', sql: 'CREATE VIEW torn AS SELEKT 1' });
    expect(await faultOf('from torn', aPolicy())).toContain('cannot be read');
  });
});
