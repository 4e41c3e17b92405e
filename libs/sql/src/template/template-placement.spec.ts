import { describe, expect, it } from 'vitest';
import type { JsonObject } from '#libs/kernel';
import { bindTemplate, parseTemplate, proveReadOnly, renderTemplate, type SqlDialect } from '../index.js';
import { placeholders, templateDialects } from './template-dialects.js';
import { renderForDialect } from './render-template.js';

const given: JsonObject = { x: "o'brien; drop table t --", n: 7, d: '2026-11-21', names: ['a', 'b'], none: [] };

function bind(text: string, dialect: SqlDialect = 'postgres', more: JsonObject = {}) {
  const { names } = parseTemplate(text);
  const used = Object.fromEntries(Object.entries({ ...given, ...more }).filter(([name]) => names.has(name)));
  const options = { nowMs: 0, timeZone: 'UTC', definitions: [], caller: undefined };
  const { sql, values } = bindTemplate({ ...options, text, dialect, given: used });
  return { sql, values: values.map(({ type, value }) => [type, value]) };
}

describe('a value outside quotes', () => {
  it.each([
    ['{{ n }}', 'CAST($1 AS integer)', ['integer', '7']],
    ['{{ n | number }}', 'CAST($1 AS numeric)', ['number', '7']],
    ['{{ n | text }}', 'CAST($1 AS text)', ['text', '7']],
    ['{{ x }}', '$1', ['text', given['x']]],
    ['{{ d | date }}', 'CAST($1 AS date)', ['date', '2026-11-21']],
    ['{{ d | date("YYYY-MM-DD") }}', 'CAST($1 AS date)', ['date', '2026-11-21']],
    ['{{ d | date("YYYYMM") | int }}', 'CAST($1 AS integer)', ['integer', '202611']],
    ['{{ d | datetime }}', 'CAST($1 AS timestamptz)', ['datetime', '2026-11-21T00:00:00.000Z']],
  ])('%s is bound as %s', (output, sql, value) => {
    expect(bind(`select ${output} as v`)).toEqual({ sql: `select ${sql} as v`, values: [value] });
  });

  it.each<[SqlDialect, string, string]>([
    ['postgres', '2147483647', 'integer'],
    ['postgres', '2147483648', 'bigint'],
    ['postgres', '-9223372036854775809', 'numeric'],
    ['duckdb', '-2147483648', 'INTEGER'],
    ['duckdb', '9223372036854775807', 'BIGINT'],
    ['duckdb', '9223372036854775808', 'HUGEINT'],
  ])('is for %s an integer as wide as the literal %s: %s', (dialect, digits, type) => {
    const { sql, values } = bind('select {{ n | int }}', dialect, { n: digits });
    expect(sql).toBe(`select CAST($1 AS ${type})`);
    expect(values).toEqual([['integer', digits]]);
  });

  it('has the digits of a decimal literal in DuckDB, whose DECIMAL alone would cut them', () => {
    expect(bind('select {{ n | number }}', 'duckdb', { n: '1234567.8901' }).sql).toBe(
      'select CAST($1 AS DECIMAL(11,4))',
    );
    expect(bind('select {{ n | number }}', 'duckdb', { n: '6.02e23' }).sql).toBe('select CAST($1 AS DOUBLE)');
  });

  it('gets a placeholder of its own each time, so that no source has to find one type for two places', () => {
    expect(bind('select {{ x }}, {{ x }}').sql).toBe('select $1, $2');
  });

  it('may begin with another number than 1', () => {
    const parameters = new Map([
      ['n', { value: { kind: 'scalar', value: { type: 'integer', value: '1' } }, isFromOptions: false }],
    ] as const);
    const options = { nowMs: 0, timeZone: 'UTC', parameters, firstPlaceholder: 8 };
    expect(renderForDialect('a = {{ n }}', templateDialects.postgres, options).sql).toBe('a = CAST($8 AS integer)');
  });

  it.each(['foo{{ x }}', '{{ x }}5', '{{ x }}_1', '{{ x }}{{ n }}', '${{ x }}', '1{{ n }}', 'é{{ x }}'])(
    'is refused where it would be part of a word: %s',
    (text) => {
      expect(() => bind(`select ${text}`)).toThrow(/part of a name or a number/);
    },
  );
});

describe('a value in quotes', () => {
  it.each([
    [`'{{ d | date("YYYY-MM-DD") }}'`, '$1', [['text', '2026-11-21']]],
    [`'{{ x }}'`, '$1', [['text', given['x']]]],
    [`'{{ n }}'`, '$1', [['text', '7']]],
    [`'%{{ x }}%'`, `('%' || CAST($1 AS text) || '%')`, [['text', given['x']]]],
    [
      `'{{ n }}{{ d }}'`,
      `(CAST($1 AS text) || CAST($2 AS text))`,
      [
        ['text', '7'],
        ['text', '2026-11-21'],
      ],
    ],
    [`'it''s {{ n }}'''`, `('it''s ' || CAST($1 AS text) || '''')`, [['text', '7']]],
    [`E'it\\'s\\n{{ n }}'`, `(E'it\\'s\\n' || CAST($1 AS text))`, [['text', '7']]],
    [`E'\\\\{{ n }}'`, `(E'\\\\' || CAST($1 AS text))`, [['text', '7']]],
    [`E'{{ n }}'`, '$1', [['text', '7']]],
    [`e'a'\n'\\'{{ n }}'`, `(e'a'\n'\\'' || CAST($1 AS text))`, [['text', '7']]],
    [`'{{ n }}'\n  '%'`, `(CAST($1 AS text) || ''\n  '%')`, [['text', '7']]],
    [`E'a' -- '\n'\\'{{ n }}'`, `(E'a' -- '\n'\\'' || CAST($1 AS text))`, [['text', '7']]],
    [`'\\{{ n }}'`, `('\\' || CAST($1 AS text))`, [['text', '7']]],
    [`'-- {{ n }}'`, `('-- ' || CAST($1 AS text))`, [['text', '7']]],
    [`'/* {{ n }}'`, `('/* ' || CAST($1 AS text))`, [['text', '7']]],
    [`'"{{ n }}"'`, `('"' || CAST($1 AS text) || '"')`, [['text', '7']]],
    [`'$$ {{ n }}'`, `('$$ ' || CAST($1 AS text))`, [['text', '7']]],
  ])('%s is bound as %s', (literal, sql, values) => {
    expect(bind(`select ${literal} as v`)).toEqual({ sql: `select ${sql} as v`, values });
  });

  it.each([
    [`date '{{ d }}'`, 'CAST($1 AS date)'],
    [`DATE'{{ d }}'`, 'CAST($1 AS date)'],
    [`timestamp '{{ d }} 00:00'`, `CAST((CAST($1 AS text) || ' 00:00') AS timestamp)`],
    [`timestamp with time zone '{{ d }}'`, 'CAST($1 AS timestamp with time zone)'],
    [`now() - interval '{{ n }} days'`, `now() - CAST((CAST($1 AS text) || ' days') AS interval)`],
    [`interval E'{{ n }}'`, 'CAST($1 AS interval)'],
    [`interval '{{ n }}' "day", day`, 'CAST($1 AS interval) "day", day'],
  ])('takes the type in front of it along: %s', (text, sql) => {
    expect(bind(`select ${text} as v`).sql).toBe(`select ${sql} as v`);
  });

  it.each([
    [`a.date '{{ d }}'`, 'a.date $1'],
    [`/* date */ '{{ d }}'`, '/* date */ $1'],
    [`"date" '{{ d }}'`, '"date" $1'],
    [`a at time zone '{{ x }}'`, 'a at time zone $1'],
  ])('takes nothing for a type that is none: %s', (text, sql) => {
    expect(bind(`select ${text}`).sql).toBe(`select ${sql}`);
  });

  it('stays apart from the words that its quotes touched', () => {
    expect(bind(`select 1 where 'a'like'{{ x }}'and true`).sql).toBe(`select 1 where 'a'like $1 and true`);
  });

  it.each([
    ['a list', `select '{{ names | list }}'`, /A list cannot stand in a string/],
    ['a backslash that would take its first character', `select E'a\\{{ x }}'`, /behind a backslash/],
    ['an interval whose unit is several', `select interval '{{ n }}' DAYS`, /Write the unit into/],
    ['an interval whose unit stands behind a comment', `select interval '{{ n }}' /* a */ day`, /Write the unit into/],
    ['an interval whose unit stands outside', `select interval '{{ n }}' day`, /Write the unit into/],
    ['escapes of Unicode', `select U&'{{ x }}'`, /prefix U&/],
    ['a bit string', `select x'{{ x }}'`, /prefix X/],
    ['a dollar quote', 'select $$ {{ x }} $$', /dollar-quoted string/],
    ['a dollar quote with a tag', 'select $é$ $$ {{ x }} $é$', /dollar-quoted string/],
    ['a quoted identifier', `select "{{ x }}"`, /quoted identifier/],
    ['a quoted identifier with an apostrophe', `select "'{{ x }}'"`, /quoted identifier/],
    ['a line comment', `select 1 -- '{{ x }}'`, /line comment/],
    ['a block comment', `select /* '{{ x }}' */ 1`, /block comment/],
    ['a nested block comment', `select /* /* */ {{ x }} */ 1`, /block comment/],
    ['a string that does not end', `select '{{ x }}`, /ends inside a string/],
  ])('is refused by name in %s', (_what, text, message) => {
    expect(() => bind(text)).toThrow(
      expect.objectContaining({ code: 'sql.rejected', message: expect.stringMatching(message) }),
    );
  });

  it.each([
    [`select $$ ' $$, {{ n }}`, `select $$ ' $$, CAST($1 AS integer)`],
    [`select 1 -- it's\n, {{ n }}`, `select 1 -- it's\n, CAST($1 AS integer)`],
    [`select /* it's /* */ ' */ {{ n }}`, `select /* it's /* */ ' */ CAST($1 AS integer)`],
    [`select "it's", {{ n }}`, `select "it's", CAST($1 AS integer)`],
    [`select '\\', {{ n }}`, `select '\\', CAST($1 AS integer)`],
    [`select E'\\'', {{ n }}`, `select E'\\'', CAST($1 AS integer)`],
    [`select a$b$ , {{ n }}`, `select a$b$ , CAST($1 AS integer)`],
    [`select 'a'\n'b', {{ n }}`, `select 'a'\n'b', CAST($1 AS integer)`],
  ])('is known from one outside behind %s', (text, sql) => {
    expect(bind(text).sql).toBe(sql);
  });
});

describe('a list', () => {
  it('is as many placeholders as it has values', () => {
    const { sql, values } = bind('select 1 where a in ({{ names | list }}) and b = {{ n }}');
    expect(sql).toBe('select 1 where a in ($1, $2) and b = CAST($3 AS integer)');
    expect(values).toEqual([
      ['text', 'a'],
      ['text', 'b'],
      ['integer', '7'],
    ]);
  });

  it('without values is NULL, which nothing is in, and nothing is not in either', () => {
    expect(bind('select 1 where a not in ({{ none | list }})')).toEqual({
      sql: 'select 1 where a not in (NULL)',
      values: [],
    });
  });

  it('of one is what a single value makes', () => {
    expect(bind('select 1 where a in ({{ n | list }})').sql).toBe('select 1 where a in (CAST($1 AS integer))');
  });

  it('has its filters applied to each value', () => {
    expect(bind('select 1 where a in ({{ names | int | list }})', 'postgres', { names: ['1', 2] }).values).toEqual([
      ['integer', '1'],
      ['integer', '2'],
    ]);
    expect(() => bind('select {{ names | int }}', 'postgres', { names: ['1', 'two'] })).toThrow(
      expect.objectContaining({ code: 'parameter.invalid', path: ['names', '1'] }),
    );
  });
});

describe('the text around values', () => {
  it('stays as it is where there is no tag, and nothing is read of it', () => {
    const text = `select '{', "}", $$ { } $$ -- ' it's`;
    expect(bind(text)).toEqual({ sql: text, values: [] });
  });

  it('may have no placeholders of its own', () => {
    expect(() => bind('select $1, {{ x }}')).toThrow(/"\$1" is a placeholder/);
    expect(() => bind('select ?, {{ x }}', 'duckdb')).toThrow(/"\?" is a placeholder/);
    expect(() => bind('select $name, {{ x }}', 'duckdb')).toThrow(/"\$name" is a placeholder/);
    expect(bind(`select '$1', a ? 'b', {{ x }}`).sql).toBe(`select '$1', a ? 'b', $1`);
  });

  it.each(['postgres', 'duckdb'] as const)(
    'passes the read-only proof of %s with as many values as were bound',
    async (dialect) => {
      const { sql, values } = bind(`select {{ n }}, '%{{ x }}' where 1 in ({{ n | list }})`, dialect);
      await expect(proveReadOnly(dialect, sql, { valueCount: values.length })).resolves.toBeUndefined();
      await expect(proveReadOnly(dialect, sql, { valueCount: values.length - 1 })).rejects.toThrow(/no value/);
    },
  );
});

describe('a predicate', () => {
  const attributes = new Map([['region', { type: 'text', value: 'EU' } as const]]);
  const options = { dialect: 'postgres', nowMs: 0, timeZone: 'UTC', firstPlaceholder: 3 } as const;
  const caller = { id: 'usr_1', email: null, groups: [], attributes };

  it('binds the values of whoever asks behind those of the statement, and reads no parameter', () => {
    expect(renderTemplate('region = {{ user.region }} or owner = {{ user.id }}', { ...options, caller })).toEqual({
      sql: 'region = $3 or owner = $4',
      values: [
        { type: 'text', value: 'EU' },
        { type: 'text', value: 'usr_1' },
      ],
    });
    expect(() => renderTemplate('region = {{ region }}', { ...options, caller })).toThrow(
      expect.objectContaining({ code: 'parameter.missing', path: ['region'] }),
    );
  });
});

describe('the placeholders of other dialects', () => {
  it.each([
    ['question', 'select ?, ?'],
    ['at', 'select @p1, @p2'],
    ['colon', 'select :p1, :p2'],
  ] as const)('are a row in a table: %s', (style, sql) => {
    const dialect = { ...templateDialects.postgres, placeholder: placeholders[style] };
    const text = { kind: 'scalar', value: { type: 'text', value: 'v' } } as const;
    const parameters = new Map([['x', { value: text, isFromOptions: false }]]);
    expect(renderForDialect("select {{ x }}, '{{ x }}'", dialect, { nowMs: 0, timeZone: 'UTC', parameters }).sql).toBe(
      sql,
    );
  });
});
