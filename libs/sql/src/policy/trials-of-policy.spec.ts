import { describe, expect, it } from 'vitest';
import { aPolicy } from '../../test/policy-builders.js';
import { trialsOfPolicy, type PolicyTrial, type SqlDialect } from '../index.js';

const table = (name: string, types: Readonly<Record<string, string>>) => ({
  ...{ schema: 'main', name },
  columns: Object.entries(types).map(([column, sourceType]) => ({ name: column, sourceType })),
});

function trialsOf(dialect: SqlDialect, more: Parameters<typeof aPolicy>[0], tables = [sales]) {
  return trialsOfPolicy(aPolicy({ table: null, ...more }), { dialect, tables, searchPath: ['main'] });
}

const sales = table('sales', { region: 'varchar', amount: 'integer', day: 'date' });
const masks = [
  { column: 'amount', kind: 'HASH' },
  { column: 'day', kind: 'NULL' },
  { column: 'region', kind: 'FIXED', value: '' },
] as const;
const shapeOf = ({ path, computes, values }: PolicyTrial) => [
  path.join('.'),
  computes,
  values.map(({ value }) => value),
];

describe('a row policy is tried', () => {
  it('at PostgreSQL as a run would send it, planned alone, with NULL for what nobody knows and masks as they are', async () => {
    const trials = await trialsOf('postgres', { masks });
    expect(trials.map(shapeOf)).toEqual([
      ['predicate', false, [null]],
      ['masks.2.value', false, ['']],
    ]);
    expect(trials[0]).toMatchObject({ controlSql: 'select * from "main"."sales"', reach: { relations: [{}] } });
    expect(trials[0]?.sql).toContain('offset 0');
  });

  it('at DuckDB with the text that a run binds, and once more where constants are computed, over no row', async () => {
    const trials = await trialsOf('duckdb', { masks });
    expect(trials.map(shapeOf)).toEqual([
      ['predicate', false, ['']],
      ['predicate', true, [null]],
      ['masks.2.value', true, ['']],
    ]);
    for (const { sql, controlSql } of trials.filter(({ computes }) => computes)) {
      expect(sql).toContain('(select * from "main"."sales" limit 0)');
      expect(controlSql).toContain('(select * from "main"."sales" limit 0)');
    }
  });

  it('with an id of a user as they are, as its form is known', async () => {
    const [trial] = await trialsOf('postgres', { predicate: 'region = {{ user.id }} or region = {{ user.email }}' });
    expect(trial?.values.map(({ value }) => value)).toEqual([expect.stringMatching(/^usr_/), null]);
  });

  it('on one table for each set of types of the columns that it names, and says which', async () => {
    const twin = table('twin', { region: 'varchar', amount: 'bigint', day: 'date' });
    const other = table('other', { region: 'integer', amount: 'integer' });
    const trials = await trialsOf('postgres', { masks: [] }, [
      sales,
      twin,
      other,
      table('none', { amount: 'integer' }),
    ]);
    expect(trials.map((trial) => trial.table)).toEqual(['"main"."sales"', '"main"."other"']);
    expect((await trialsOf('postgres', { table: { name: 'sales' } }))[0]?.table).toBeUndefined();
  });

  it('with a bounded number of statements, however many types its columns have', async () => {
    const many = Array.from({ length: 80 }, (_, length) => table(`t${length}`, { region: `varchar(${length + 1})` }));
    expect(await trialsOf('postgres', {}, many)).toHaveLength(50);
  });
});
