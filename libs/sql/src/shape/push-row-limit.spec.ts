import { describe, expect, it } from 'vitest';
import { proveReadOnly, type SqlDialect } from '../prove-read-only.js';
import { pushRowLimit } from './push-row-limit.js';

const dialects: readonly SqlDialect[] = ['postgres', 'duckdb'];

/** Statements that Redash leaves without a limit, or breaks by one (its decision goes by the first and the last word). */
const pushed: readonly (readonly [what: string, sql: string, limited: string])[] = [
  ['a common table expression', 'with a as (select 1) select * from a', '\nlimit 8'],
  ['a line comment in front', '-- all of them\nselect * from t', '\nlimit 8'],
  ['a block comment in front', '/* limit 3 */ select * from t', '\nlimit 8'],
  ['a line comment behind', 'select * from t -- limit 3', '\nlimit 8'],
  ['parentheses', '(select * from t)', '\nlimit 8'],
  ['an order', 'select * from t order by 1', '\nlimit 8'],
  ['a union', 'select a from t union all select b from u', '\nlimit 8'],
  ['a limit inside', 'select * from (select * from t limit 3) as s', '\nlimit 8'],
  ['VALUES', 'values (1), (2)', '\nlimit 8'],
  ['a column named limit', 'select "limit" from t', '\nlimit 8'],
];
const ended: readonly (readonly [what: string, sql: string, limited: string])[] = [
  ['a semicolon', 'select * from t;', 'select * from t\nlimit 8'],
  ['a semicolon and a comment', 'select * from t; -- done', 'select * from t\nlimit 8'],
  ['a semicolon in a comment', 'select * from t -- a;b', 'select * from t -- a;b\nlimit 8'],
  ['a semicolon in a string', "select ';' from t", "select ';' from t\nlimit 8"],
];
const left: readonly (readonly [what: string, sql: string])[] = [
  ['LIMIT', 'select * from t limit 99999999'],
  ['LIMIT ALL', 'select * from t limit all'],
  ['OFFSET', 'select * from t offset 5'],
  ['FETCH FIRST', 'select * from t fetch first 10 rows only'],
  ['a limit in parentheses', '(select * from t limit 5)'],
  ['several statements', 'select 1; select 2'],
];

describe.each(dialects)('a row limit in %s', (dialect) => {
  it.each(pushed)('goes behind %s', async (_what, sql, limit) => {
    expect(await pushRowLimit(dialect, sql, 8)).toBe(sql + limit);
  });

  it.each(ended)('goes into a statement that ends in %s', async (_what, sql, limited) => {
    expect(await pushRowLimit(dialect, sql, 8)).toBe(limited);
  });

  it.each(left)('leaves a statement with %s as it is', async (_what, sql) => {
    expect(await pushRowLimit(dialect, sql, 8)).toBe(sql);
  });

  it('makes equal texts of equal ones, which still are proven to read', async () => {
    const limited = await pushRowLimit(dialect, 'select * from t where a = $1;', 8);
    expect(await pushRowLimit(dialect, 'select * from t where a = $1;', 8)).toBe(limited);
    await expect(proveReadOnly(dialect, limited, { valueCount: 1 })).resolves.toBeUndefined();
  });

  it('lets nothing in that does not parse', async () => {
    await expect(pushRowLimit(dialect, 'select * frm t (', 8)).rejects.toMatchObject({ code: 'sql.rejected' });
  });
});

it('a lock, which PostgreSQL wants last, is left to the proof to refuse', async () => {
  const sql = 'select * from t limit 10 for update';
  expect(await pushRowLimit('postgres', sql, 8)).toBe(sql);
});
