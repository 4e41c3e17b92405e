import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Execution } from '../support/api-types.js';
import { comparable, readers, type ReadColumn } from '../support/download-readers.js';
import { downloaded, downloadFormats } from '../support/downloads.js';
import { readAllRows, runToEnd } from '../support/executions.js';
import { sharedMesh } from '../support/running-mesh.js';
import { unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

/** Texts at which writers and readers of files stumble. */
const nastyTexts = [
  '',
  ' ',
  '"',
  '""',
  ',',
  'a,b',
  'a\tb',
  'a\nb',
  'a\r\nb',
  '\r',
  '=1+1',
  '+1-1',
  '-1+1',
  '@sum(a1)',
  '-5',
  '+49',
  'null',
  'NULL',
  '\\N',
  '\\',
  "it's",
  '_x0041_',
  '<b>&amp;</b>',
  'Grüße, 世界 🚀',
  '\u0001\u001f',
  'a\ufeff',
  "'=1",
];

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

const questions: readonly { name: string; source: 'flights' | 'flights_pg'; sql: string }[] = [
  {
    name: 'PostgreSQL, every type with its extremes and nulls',
    source: 'flights_pg',
    sql: 'select * from every_type order by a_smallint nulls last',
  },
  {
    name: 'PostgreSQL, every type without what only text can hold',
    source: 'flights_pg',
    sql: `select a_boolean, a_smallint, a_bigint, a_numeric, 1.5::numeric(10, 2) as price, a_double, a_date, a_time,
            a_timestamp, a_timestamptz, an_interval, some_bytes, a_jsonb, texts, a_uuid
          from every_type where a_smallint is null or a_smallint < 0 order by a_smallint nulls last`,
  },
  {
    name: 'PostgreSQL, texts',
    source: 'flights_pg',
    sql: `select * from (values ${nastyTexts.map((text, n) => `(${n}, ${literal(text)})`).join(', ')}) t(n, t) order by n`,
  },
  {
    name: 'DuckDB, texts, among them one with NUL',
    source: 'flights',
    sql: `select * from (values ${nastyTexts.map((text, n) => `(${n}, ${literal(text)})`).join(', ')},
            (100, 'a' || chr(0) || 'b')) t(n, t) order by n`,
  },
  {
    name: 'DuckDB, what has no end, no bound or no type elsewhere',
    source: 'flights',
    sql: `select * from (values
            (1, 18446744073709551615::ubigint, 170141183460469231731687303715884105727::hugeint, 'NaN'::double,
             date '2026-11-21', timestamp '2026-11-21 10:20:30.123456',
             '2026-11-21 10:20:30.123456789'::timestamp_ns, '2026-11-21 10:20:30.5+02'::timestamptz,
             '10:20:30.5-08'::timetz, '\\xDE\\x00'::blob, {'a': [1, null], 'b': 'x'}),
            (2, 0, -1, 0.1, date '0044-03-15 (BC)', '-infinity'::timestamp, null, 'infinity'::timestamptz,
             null, ''::blob, null)) t(n, u, h, f, d, ts, ns, tz, ttz, b, s) order by n`,
  },
  {
    name: 'DuckDB, numbers of many digits and times to the microsecond',
    source: 'flights',
    sql: `select 18446744073709551615::ubigint as u, -0.5::decimal(4, 1) as d, 123456789012345::decimal(18, 0) as whole,
            1234567890123456789012345678.0123456789::decimal(38, 10) as wide, date '1899-12-31' as old, date '1970-01-01' as d1,
            timestamp '1969-12-31 23:59:59.5' as before, '2026-11-21 10:20:30.123456789'::timestamp_ns as ns,
            time '23:59:59.999999' as t, 1e300::double as big, -0.0::double as zero, null as nothing`,
  },
  {
    name: 'PostgreSQL, one column of nulls',
    source: 'flights_pg',
    sql: "select * from (values ('a'), (null), ('')) t(x)",
  },
  { name: 'PostgreSQL, no rows', source: 'flights_pg', sql: 'select 1 as a, 2 as b where false' },
  {
    name: 'PostgreSQL, more than one page',
    source: 'flights_pg',
    sql: "select i, i::text as t, i / 7.0 as d, now() - i * interval '1 hour' as at from generate_series(1, 25000) t(i)",
  },
];

describe.each(questions)('A download of $name', ({ source, sql }) => {
  let execution: Execution;
  let columns: ReadColumn[];
  let expected: unknown[][];

  beforeAll(async () => {
    const { id } = await mesh.source(source);
    execution = await runToEnd(mesh.admin, id, unique(sql));
    columns = execution.result?.columns ?? [];
    const rows = await readAllRows(mesh.admin, execution.id);
    expected = rows.map((row) => row.map((value, index) => comparable(columns[index]?.type ?? '', value)));
  });

  test.each(downloadFormats)('as %s has every value as the API tells it', async (format) => {
    const bytes = await downloaded(mesh.admin, execution.id, { format, escapeFormulas: false });
    const rows = await readers[format](bytes, columns);
    const found = rows.map((row) => row.map((value, index) => comparable(columns[index]?.type ?? '', value)));
    // The reader of XLSX makes nothing of a cell with an empty text; that the cell is there is in the spec of the writer.
    const told =
      format === 'XLSX' ? expected.map((row) => row.map((value) => (value === '' ? null : value))) : expected;
    expect(found).toEqual(told);
  });
});
