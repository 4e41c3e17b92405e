import { describe, expect, it } from 'vitest';
import { readTables, type TableName } from '#libs/sql';
import { invalidatedTableSubjects, tableSubjects } from './table-subjects.js';

type Dialect = 'postgres' | 'duckdb';

async function isInvalidated(type: Dialect, sql: string, table: TableName, sourceId = 'src_1'): Promise<boolean> {
  const subjects = tableSubjects({ id: 'src_1', type }, await readTables(type, sql));
  return invalidatedTableSubjects(sourceId, table).some((subject) => subjects.includes(subject));
}

const long = 'a'.repeat(70);

describe.each(['postgres', 'duckdb'] as const)('a statement of %s', (type) => {
  it.each([
    ['the name alone', 'select * from orders'],
    ['another case', 'select * from Orders'],
    ['quotes', 'select * from "orders"'],
    ['quotes and another case, which one of the engines tells apart', 'select * from "ORDERS"'],
    ['its schema', 'select * from sales.orders'],
    ['its schema, quoted and spaced', 'select * from "Sales" . "orders"'],
    ['its catalog', 'select * from warehouse.sales.orders'],
    ['an alias', 'select o.id from orders as o (id)'],
    ['a join', 'select 1 from a left join orders using (id)'],
    ['a subquery', 'select (select max(id) from orders)'],
    ['a condition', 'select 1 from a where exists (select 1 from orders)'],
    ['a common table expression', 'with x as (select * from orders) select * from x'],
    ['a common table expression of its own name', 'with orders as (select * from orders) select * from orders'],
    ['a union', 'select 1 union all select id from orders'],
    ['the order', 'select 1 order by (select 1 from orders)'],
  ])('that names the table by %s is invalidated with it', async (_what, sql) => {
    for (const table of [
      { name: 'orders' },
      { schema: 'sales', name: 'orders' },
      { schema: 'SALES', name: 'Orders' },
    ]) {
      expect(await isInvalidated(type, sql, table)).toBe(true);
    }
  });

  it.each([
    ['another table', 'select * from customers', { name: 'orders' }],
    ['a column of its name', 'select orders from customers', { name: 'orders' }],
    ['a text of its name', "select 'orders' from customers", { name: 'orders' }],
    ['a common table expression that hides it', 'with orders as (select 1) select * from orders', { name: 'orders' }],
  ])('that names %s stays', async (_what, sql, table) => {
    expect(await isInvalidated(type, sql, table)).toBe(false);
  });

  it('that names the table in another schema stays, unless the load does not say the schema', async () => {
    const sql = 'select * from warehouse.archive.orders';
    expect(await isInvalidated(type, sql, { schema: 'sales', name: 'orders' })).toBe(false);
    expect(await isInvalidated(type, sql, { name: 'orders' })).toBe(true);
  });

  it('of another source stays', async () => {
    expect(await isInvalidated(type, 'select * from orders', { name: 'orders' }, 'src_2')).toBe(false);
  });

  it('that names a name longer than the engine keeps is invalidated with the name that it keeps', async () => {
    expect(await isInvalidated(type, `select * from ${long}`, { name: long.slice(0, 63) })).toBe(true);
    expect(await isInvalidated(type, `select * from ${long}`, { name: long })).toBe(true);
  });

  it('of very many tables is invalidated with any table of its source', async () => {
    const sql = Array.from({ length: 60 }, (_, index) => `select 1 from t${index}`).join(' union all ');
    expect(await isInvalidated(type, sql, { name: 'orders' })).toBe(true);
  });
});

it('what may be a catalog as well as a schema counts as both', async () => {
  const table = { schema: 'main', name: 'orders' };
  expect(await isInvalidated('duckdb', 'select * from warehouse.orders', table)).toBe(true);
  expect(await isInvalidated('postgres', 'select * from warehouse.orders', table)).toBe(false);
});
