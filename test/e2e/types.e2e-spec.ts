import { afterAll, describe, expect, test } from 'vitest';
import { readAllRows, runToEnd } from '../support/executions.js';
import { sharedMesh } from '../support/running-mesh.js';
import { unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

interface TypeCase {
  sql: string;
  type: string;
  value: unknown;
}

async function answersOf(source: 'flights' | 'flights_pg', cases: TypeCase[]): Promise<unknown[]> {
  const { id } = await mesh.source(source);
  const select = cases.map(({ sql }, index) => `${sql} as c${index}`).join(', ');
  const execution = await runToEnd(mesh.admin, id, unique(`select ${select}`));
  expect(execution.error).toBeNull();
  const [row = []] = await readAllRows(mesh.admin, execution.id);
  return cases.map(({ sql }, index) => ({ sql, type: execution.result?.columns[index]?.type, value: row[index] }));
}

const sameInBoth: TypeCase[] = [
  { sql: 'true', type: 'BOOLEAN', value: true },
  { sql: 'cast(2147483647 as integer)', type: 'INTEGER', value: 2_147_483_647 },
  { sql: 'cast(9223372036854775807 as bigint)', type: 'BIGINT', value: '9223372036854775807' },
  {
    sql: "cast('12345678901234567890.0123456789' as decimal(38, 10))",
    type: 'DECIMAL',
    value: '12345678901234567890.0123456789',
  },
  { sql: 'cast(0.1 as double precision)', type: 'FLOAT', value: 0.1 },
  { sql: "cast('NaN' as double precision)", type: 'FLOAT', value: 'NaN' },
  { sql: "cast('Infinity' as double precision)", type: 'FLOAT', value: 'Infinity' },
  { sql: "cast('-Infinity' as double precision)", type: 'FLOAT', value: '-Infinity' },
  { sql: "cast('Grüße, 世界 🚀' as varchar)", type: 'TEXT', value: 'Grüße, 世界 🚀' },
  { sql: "cast('2001-02-03' as date)", type: 'DATE', value: '2001-02-03' },
  { sql: "cast('04:05:06.789012' as time)", type: 'TIME', value: '04:05:06.789012' },
  { sql: "cast('2001-02-03 04:05:06.789012' as timestamp)", type: 'TIMESTAMP', value: '2001-02-03T04:05:06.789012' },
  {
    sql: "cast('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' as uuid)",
    type: 'UUID',
    value: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
  },
  { sql: 'cast(null as integer)', type: 'INTEGER', value: null },
];

describe('The values of a result', () => {
  test('PostgreSQL: every type as the contract has it', async () => {
    const cases: TypeCase[] = [
      ...sameInBoth,
      { sql: "'NaN'::numeric", type: 'DECIMAL', value: 'NaN' },
      { sql: "'\\xdeadbeef'::bytea", type: 'BYTES', value: '3q2+7w==' },
      { sql: `'{"a": [1, null]}'::jsonb`, type: 'JSON', value: { a: [1, null] } },
      { sql: 'array[1, 2, null]', type: 'ARRAY', value: [1, 2, null] },
      { sql: "array['x', 'y z', null]::text[]", type: 'ARRAY', value: ['x', 'y z', null] },
      {
        sql: "interval '1 year 2 months 3 days 4 hours 5 minutes 6.5 seconds'",
        type: 'INTERVAL',
        value: 'P1Y2M3DT4H5M6.5S',
      },
    ];
    expect(await answersOf('flights_pg', cases)).toEqual(cases);
  });

  test('DuckDB: every type as the contract has it', async () => {
    const cases: TypeCase[] = [
      ...sameInBoth,
      {
        sql: "cast('170141183460469231731687303715884105727' as hugeint)",
        type: 'DECIMAL',
        value: '170141183460469231731687303715884105727',
      },
      { sql: "'\\xDE\\xAD\\xBE\\xEF'::blob", type: 'BYTES', value: '3q2+7w==' },
      { sql: '[1, 2, null]', type: 'ARRAY', value: [1, 2, null] },
    ];
    expect(await answersOf('flights', cases)).toEqual(cases);
  });

  test('PostgreSQL: an instant with its zone names the same instant in UTC or with its offset, with all digits', async () => {
    const [answer] = (await answersOf('flights_pg', [
      { sql: "timestamptz '2001-02-03 04:05:06.789012+02'", type: 'TIMESTAMP_TZ', value: '' },
    ])) as { type: string; value: string }[];
    expect(answer?.type).toBe('TIMESTAMP_TZ');
    expect(answer?.value).toMatch(/^2001-02-03T\d\d:05:06\.789012(Z|[+-]\d\d:\d\d)$/);
    expect(Date.parse(answer?.value ?? '')).toBe(Date.parse('2001-02-03T04:05:06.789+02:00'));
  });

  test('PostgreSQL: a table of every type, its extremes and its nulls', async () => {
    const { id } = await mesh.source('flights_pg');
    const execution = await runToEnd(mesh.admin, id, unique('select * from every_type order by a_smallint nulls last'));
    expect(execution.error).toBeNull();
    const rows = await readAllRows(mesh.admin, execution.id);
    const columns = execution.result?.columns.map(({ name }) => name) ?? [];
    const [lowest, zero, nulls] = rows.map((row) =>
      Object.fromEntries(columns.map((name, index) => [name, row[index]])),
    );
    expect(lowest).toMatchObject({
      a_bigint: '9223372036854775807',
      a_numeric: '12345678901234567890.0123456789',
      a_real: 1.5,
      a_json: { a: [1, null] },
      texts: ['x', 'y z', null],
    });
    expect(zero).toMatchObject({
      a_bigint: '-9223372036854775808',
      a_numeric: 'NaN',
      a_real: 'Infinity',
      a_double: '-Infinity',
      a_text: '',
      a_date: '0001-01-01',
      some_bytes: '',
      a_json: null,
      a_jsonb: [],
      an_array: [],
    });
    expect(Object.values(nulls ?? {}).every((value) => value === null)).toBe(true);
  });
});
