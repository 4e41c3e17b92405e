import { describe, expect, it } from 'vitest';
import { emptyStatement } from './empty-statement.js';

describe('a statement without its rows', () => {
  it.each([
    ['plain', 'select 1 as a'],
    ['with an order and a limit', 'select * from t order by 1 limit 3'],
    ['with a common table expression', 'with a as (select 1) select * from a'],
    ['a union', 'select 1 union select 2'],
    ['with a comment at its end', 'select 1 -- )'],
  ])('is %s within a subquery that is never run', async (_what, sql) => {
    expect(await emptyStatement(sql)).toBe(`select * from (${sql}\n) as sluice_nothing where false`);
  });

  it('does without a semicolon at the end', async () => {
    expect(await emptyStatement("select ';'; -- done")).toBe(
      "select * from (select ';'\n) as sluice_nothing where false",
    );
  });

  it.each(['select 1) as x, (select 2', 'select 1) as x union all (select 2', 'select 1; select 2', 'drop table t'])(
    'leaves what is no one statement to the proof, or refuses it: %s',
    async (sql) => {
      const outcome = await emptyStatement(sql).catch((error: unknown) => (error as { code: string }).code);
      expect([sql, 'sql.rejected']).toContain(outcome);
    },
  );
});
