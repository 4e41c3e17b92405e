import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError, type JsonObject, type JsonValue } from '#libs/kernel';
import { bindTemplate, parseTemplate, type ParameterDefinition, type SqlDialect } from '../index.js';
import { parsePostgres } from '../postgres/postgres-parser.js';
import { sqlLengthMax } from '../sql-text.js';
import { templateLimits } from './template-limits.js';

/** 100,000 in the nightly run. */
const cases = Number(process.env['SLUICE_FUZZ_CASES'] ?? 2_000);
const options = { numRuns: cases };
const timeoutMs = 60_000 + cases * 20;

/** What one rendering may take of the processor; a clock on the wall would tell of other processes too. */
const hangMs = 100;

/** In every text value, so that a value in the statement is seen, however it was escaped. */
const marker = 'Zq7';

const sqlFragments = [
  ...[
    'select ',
    ' from t ',
    ' where a = ',
    ' and ',
    ', ',
    '(',
    ')',
    ' ',
    '\n',
    '\r',
    ';',
    'x',
    '1',
    '.',
    '::',
    'date ',
    'interval ',
    ' day',
  ],
  ...[
    "'",
    "''",
    "E'",
    "e'",
    "U&'",
    'u&"',
    "x'",
    "N'",
    '"',
    '""',
    '\\',
    "\\'",
    '$$',
    '$a$',
    '$1',
    '?',
    '%',
    '$',
    '--',
    '-',
    '/*',
    '*/',
    '*',
    '/',
  ],
  ...['é', '\u00a0', '😀', "'a' -- b\n'c'", "'a'\n'b'", 'timestamp with time zone ', '{', '}', '%}', '}}'],
];
const outputs = [
  ...[
    '{{ a }}',
    '{{ b }}',
    '{{ a | text }}',
    '{{ n | int }}',
    '{{ n }}',
    '{{ d | date("YYYY-MM-DD") }}',
    '{{ d | date("YYYY [x] MM") }}',
  ],
  ...[
    '{{ l | list }}',
    '{{ l }}',
    '{{ p.start }}',
    '{{ p.end }}',
    '{{ c | identifier }}',
    '{{ user.id }}',
    '{{ user.groups | list }}',
    '{{ m }}',
  ],
  ...['{{- a -}}', '{{ d | datetime }}'],
];
const blocks = [
  ...['{% if a %}', '{% if n > 3 and not m %}', '{% elsif b == "x" %}', '{% else %}', '{% endif %}', '{% if a in l %}'],
  ...[
    '{% for x in l %}',
    '{% for x in user.groups %}',
    '{{ x }}',
    '{{ loop.index }}',
    '{% endfor %}',
    '{% if loop.first %}',
  ],
  ...[
    '{% raw %}',
    '{% endraw %}',
    '{% comment %}',
    '{% endcomment %}',
    '{{',
    '{%',
    "{{ '",
    '{{ a |',
    '{{ a.b.c }}',
    '{{ __proto__ }}',
  ],
];

const nasty = fc.oneof(
  fc.constantFrom(
    "' or 1=1 --",
    '$1',
    '\\',
    "\\'",
    "''",
    '*/',
    '$$',
    '"',
    '\n',
    '{{ b }}',
    '{% raw %}',
    '',
    '%',
    '?',
    ':p1',
    '@p1',
    '; drop table t',
  ),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
);
const text = fc.tuple(nasty, nasty).map(([before, after]) => `${before}${marker}${after}`);
const values: fc.Arbitrary<JsonObject> = fc.record<Record<string, JsonValue>>({
  a: text,
  b: text,
  n: fc.oneof({ weight: 8, arbitrary: fc.integer() }, fc.double({ noNaN: true, noDefaultInfinity: true }), text),
  d: fc.oneof({ weight: 8, arbitrary: fc.constant('2026-11-21') }, fc.constantFrom('today', "2026-11-21'", marker)),
  l: fc.array(fc.oneof(text, fc.integer(), fc.boolean()), { maxLength: 5 }),
  p: fc.oneof({ weight: 8, arbitrary: fc.constant({ start: marker, end: `${marker}'` }) }, text),
  m: fc.constantFrom<JsonValue>(null, true, marker),
});
const column: ParameterDefinition = {
  ...{ name: 'c', type: 'TEXT', multiple: false, required: true, default: 'we"ird' },
  options: [{ value: 'we"ird' }],
};
const all = new Set(['a', 'b', 'n', 'd', 'l', 'p', 'm']);

/** As `bindTemplate`, given what the template reads. */
function bind(template: string, given: JsonObject, dialect: SqlDialect) {
  const { names } = parseTemplate(template);
  return bindTemplate({
    ...{ text: template, dialect, nowMs: 1_795_246_245_000, timeZone: 'Europe/Berlin', definitions: [column] },
    given: Object.fromEntries(Object.entries(given).filter(([name]) => names.has(name) && all.has(name))),
    caller: { id: `${marker}'`, email: null, groups: [marker, `'${marker}`], attributes: new Map() },
  });
}

/** What it comes to; undefined where it is refused as it should be. Anything else that is thrown is a fault. */
function attempt<T>(run: () => T): T | undefined {
  const before = process.threadCpuUsage();
  try {
    return run();
  } catch (error) {
    if (error instanceof AppError && /^(sql\.rejected|sql\.too_long|parameter\.)/.test(error.code)) return undefined;
    throw error;
  } finally {
    const { user, system } = process.threadCpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(hangMs);
  }
}

/** With an output in place of each @. */
const columns = [
  ...[
    '@',
    "'@'",
    "'%@%'",
    "('@')",
    "E'\\n@\\''",
    "'a'\n'@'",
    "E'\\\\@'",
    "date '@'",
    "interval '@ days'",
    "'it''s @'''",
    "'@'::text",
  ],
  ...[
    '$$ $$, @',
    "'--', @",
    "-- '\n@",
    "/* ' /* */ */ @",
    '"\'" , @',
    "'\\', @",
    "E'\\'@'",
    "a$b$ , '@'",
    '1 in (@)',
    "'@'||'@'",
    "'/*', @",
  ],
];
const pieces = (...lists: string[][]) =>
  fc.array(fc.constantFrom(...lists.flat()), { maxLength: 40 }).map((each) => each.join(''));
const template = fc.oneof(
  pieces(sqlFragments, outputs),
  pieces(sqlFragments, outputs, outputs, blocks),
  // Whole statements, which are rendered far more often.
  {
    weight: 2,
    arbitrary: fc
      .array(fc.tuple(fc.constantFrom(...columns), fc.constantFrom(...outputs)), { minLength: 1, maxLength: 6 })
      .map((each) => `select ${each.map(([column, output]) => column.replaceAll('@', output)).join(', ')}`),
  },
);
const dialect = fc.constantFrom<SqlDialect>('postgres', 'duckdb');

describe('any template', () => {
  it('that is rendered has no value in its text, and as many placeholders as values', { timeout: timeoutMs }, () => {
    let rendered = 0;
    const property = fc.property(template, values, dialect, (each, given, to) => {
      const result = attempt(() => bind(each, given, to));
      if (!result || (!each.includes('{{') && !each.includes('{%'))) return;
      rendered += 1;
      expect(result.sql).not.toContain(marker);
      const numbers = [...result.sql.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number));
      for (const [index] of result.values.entries()) expect(numbers).toContain(index + 1);
    });
    fc.assert(property, options);
    // A generator whose templates are all refused would prove nothing.
    expect(rendered).toBeGreaterThan(cases / 5);
  });

  it('that is rendered and parses has each placeholder where PostgreSQL sees it', { timeout: timeoutMs }, async () => {
    let parsed = 0;
    const property = fc.asyncProperty(template, values, async (each, given) => {
      const result = attempt(() => bind(each, given, 'postgres'));
      if (!result || result.values.length === 0) return;
      const tree = await parsePostgres(result.sql).catch(() => undefined);
      if (!tree) return;
      parsed += 1;
      const numbers = [...JSON.stringify(tree).matchAll(/"ParamRef":\{"number":(\d+)/g)].map(([, number]) =>
        Number(number),
      );
      expect(numbers.sort((one, other) => one - other)).toEqual(result.values.map((_, index) => index + 1));
    });
    await fc.assert(property, options);
    expect(parsed).toBeGreaterThan(cases / 10);
  });

  it('is read or refused, whatever it is, in a time that its length bounds', { timeout: timeoutMs }, () => {
    const any = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      pieces(sqlFragments, outputs, blocks, ['"', "'", '|', '.', '==', ' in ', ' not ']),
      fc
        .tuple(fc.constantFrom(...blocks, ...sqlFragments, ...outputs), fc.nat(2_000))
        .map(([each, count]) => each.repeat(count)),
    );
    const property = fc.property(any, values, dialect, (each, given, to) => {
      attempt(() => bind(each, given, to));
    });
    expect(fc.check(property, options).counterexample).toBeNull();
  });

  it('comes to a statement and to values within the limits', { timeout: timeoutMs }, () => {
    const loop = fc
      .tuple(fc.constantFrom('', '{{ x }}, ', "'{{ x }}' || ", 'y'.repeat(500)), fc.integer({ min: 0, max: 3 }))
      .map(([body, depth]) => `${'{% for x in l %}'.repeat(depth)}${body}${'{% endfor %}'.repeat(depth)}`);
    const list = fc
      .tuple(fc.constantFrom('a', 'long'.repeat(200)), fc.nat(60))
      .map(([item, count]) => Array.from({ length: count }, () => item));
    fc.assert(
      fc.property(loop, list, (each, l) => {
        const result = attempt(() => bind(each, { l }, 'postgres'));
        expect(result?.sql.length ?? 0).toBeLessThanOrEqual(sqlLengthMax);
        expect(result?.values.length ?? 0).toBeLessThanOrEqual(templateLimits.valuesMax);
      }),
      { numRuns: Math.ceil(cases / 10) },
    );
  });
});
