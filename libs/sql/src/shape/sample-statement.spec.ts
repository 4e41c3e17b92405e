import { describe, expect, it } from 'vitest';
import { proveReadOnly, type SqlDialect } from '../prove-read-only.js';
import { isSampled, sampleStatement } from './sample-statement.js';

const dialects: readonly SqlDialect[] = ['postgres', 'duckdb'];
const free = { rows: 10, mayBeGoverned: false, isSamplable: async () => true };
const ofView = { ...free, isSamplable: async () => false };

describe.each(dialects)('a sample in %s', (dialect) => {
  const sample = (sql: string): Promise<string> => sampleStatement(dialect, sql, free);

  it.each([
    'select * from t',
    'select count(*) from t as x where x.a > $1 group by a -- t',
    'with c as (select * from s.t) select * from c, c as d',
    'select * from "t""x" order by 1;',
  ])('stands in the place of the one table of %s, and only reads', async (sql) => {
    const sampled = await sample(sql);
    expect(isSampled(sql)).toBe(false);
    expect(isSampled(sampled)).toBe(true);
    expect(sampled).toMatch(/tablesample/);
    await expect(proveReadOnly(dialect, sampled, { valueCount: 1 })).resolves.toBeUndefined();
    expect(await sample(sql)).toBe(sampled);
  });

  it.each([
    'select 1',
    'select * from t, u',
    'select a from t union select b from t',
    'with c as not materialized (select * from t) select * from c, c as d',
  ])('is refused at its place for %s, which does not read one table once', async (sql) => {
    const refusal = { code: 'run.sample_unsound', path: ['limits', 'sampleRows'] };
    await expect(sample(sql)).rejects.toMatchObject(refusal);
  });
});

it('where row policies may come in, PostgreSQL samples what is left by them', async () => {
  const sampled = await sampleStatement('postgres', 'select * from t', { ...ofView, mayBeGoverned: true });
  expect(sampled).toBe(
    'select * from (select sluice_sample.* from "t" as sluice_sample order by random() limit 10) as "t"',
  );
});

it('PostgreSQL takes none of a view, which the refusal names, and DuckDB does', async () => {
  const sql = 'select * from reports."Daily sales"';
  await expect(sampleStatement('postgres', sql, ofView)).rejects.toMatchObject({
    ...{ code: 'run.sample_unsound', path: ['limits', 'sampleRows'] },
    publicMessage: expect.stringContaining('"reports"."Daily sales"'),
  });
  expect(isSampled(await sampleStatement('duckdb', sql, ofView))).toBe(true);
});

it('a statement with a sample of its own gets no second one', async () => {
  const sql = 'select * from t tablesample system (1)';
  await expect(sampleStatement('postgres', sql, free)).rejects.toMatchObject({ code: 'run.sample_unsound' });
});
