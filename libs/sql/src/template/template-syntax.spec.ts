import { describe, expect, it } from 'vitest';
import type { JsonObject } from '#libs/kernel';
import { bindTemplate, parseTemplate, type ParameterDefinition, type TemplateCaller } from '../index.js';
import { templateLimits } from './template-limits.js';

const caller: TemplateCaller = {
  id: 'usr_1',
  email: null,
  groups: ['sales', 'eu'],
  attributes: new Map([
    ['region', { type: 'text', value: 'EU' }],
    [
      'stores',
      [
        { type: 'integer', value: '1' },
        { type: 'integer', value: '2' },
      ],
    ],
    ['none', []],
    ['empty', { type: 'text', value: null }],
    // Never looked at: the name is taken.
    ['id', { type: 'text', value: 'usr_2' }],
  ]),
} as const;

function bind(text: string, given: JsonObject = {}, definitions: readonly ParameterDefinition[] = []) {
  return bindTemplate({ text, dialect: 'postgres', nowMs: 0, timeZone: 'UTC', caller, given, definitions });
}
const sqlOf = (text: string, given: JsonObject = {}) => bind(text, given).sql;
const define = (more: Partial<ParameterDefinition>): ParameterDefinition => ({
  name: 'p',
  type: 'TEXT',
  multiple: false,
  required: true,
  ...more,
});

describe('a condition', () => {
  it.each<[string, JsonObject, boolean]>([
    ['x', { x: 0 }, true],
    ['x', { x: '' }, false],
    ['x', { x: null }, false],
    ['x', { x: false }, false],
    ['x', { x: [] }, false],
    ['not x', { x: [1] }, false],
    ['x == 5', { x: 5.0 }, true],
    ['x == "5"', { x: 5 }, true],
    ['x == 5', { x: '5' }, true],
    ['x != "a"', { x: 'b' }, true],
    ['x >= 9007199254740993', { x: '9007199254740992' }, false],
    ['x < 0.30', { x: 0.2 }, true],
    ['x == null', { x: null }, true],
    ['x < 1', { x: null }, false],
    ['"a" in x', { x: ['b', 'a'] }, true],
    ['x in user.groups', { x: 'eu' }, true],
    ['x == 1 or y == 1 and x == 2', { x: 1, y: 0 }, true],
    ['(x == 1 or y == 1) and x == 2', { x: 1, y: 0 }, false],
    ['not not x', { x: true }, true],
    ['user.region == "EU"', {}, true],
  ])('%s with %j is %s', (condition, given, expected) => {
    expect(sqlOf(`{% if ${condition} %}yes{% else %}no{% endif %}`, given)).toBe(expected ? 'yes' : 'no');
  });

  it('takes the first branch that holds', () => {
    const text = '{% if x == 1 %}one{% elsif x > 1 %}more{% elsif x == 2 %}two{% else %}less{% endif %}';
    expect([1, 2, 0].map((x) => sqlOf(text, { x }))).toEqual(['one', 'more', 'less']);
  });

  it('compares a date with text as dates', () => {
    const definitions = [define({ type: 'DATE' })];
    expect(bind('{% if p >= "2026-11-01" %}yes{% endif %}', { p: '2026-11-21' }, definitions).sql).toBe('yes');
  });

  it.each(['x < y', 'x == y or x == user.groups', 'x in y'])('that has no meaning is refused: %s', (condition) => {
    const text = `\n {% if ${condition} %}{% endif %}`;
    expect(() => bind(text, { x: 'a', y: 1 })).toThrow(
      expect.objectContaining({ code: 'sql.rejected', message: expect.stringContaining('line 2') }),
    );
  });
});

describe('a loop', () => {
  it('repeats its body, and knows its place', () => {
    const { sql, values } = bind(
      '{% for x in names %}{% if not loop.first %} or {% endif %}a = {{ x }} -- {% if loop.last %}end{% endif %}\n{% endfor %}',
      {
        names: ['a', 'b'],
      },
    );
    expect(sql).toBe('a = $1 -- \n or a = $2 -- end\n');
    expect(values.map(({ value }) => value)).toEqual(['a', 'b']);
    expect(
      bind('{% for x in names %}{{ loop.index }}, {% endfor %}', { names: ['a', 'b'] }).values.map(
        ({ value }) => value,
      ),
    ).toEqual(['1', '2']);
  });

  it('hides a parameter of its name, within it alone', () => {
    expect(
      bind('{{ x }} {% for x in names %} {{ x }} {% endfor %} {{ x }}', { x: 'out', names: ['in'] }).values.map(
        ({ value }) => value,
      ),
    ).toEqual(['out', 'in', 'out']);
  });

  it('runs over lists only', () => {
    expect(() => bind('{% for x in y %}{% endfor %}', { y: 'abc' })).toThrow(/"y" is no list/);
  });
});

describe('raw text, comments and space', () => {
  it('raw text is no template', () => {
    expect(sqlOf(`select '{% raw %}{{1,2},{3,4}}{% if %}{% endraw %}'`)).toBe(`select '{{1,2},{3,4}}{% if %}'`);
  });

  it('a comment leaves nothing, whatever is in it', () => {
    expect(sqlOf('a{% comment %} {{ user.nobody }} {% if {% endcomment %}b')).toBe('ab');
  });

  it('a hyphen trims the space beside a tag', () => {
    expect(sqlOf('a\n  {%- if true -%}\n  b\n{%- endif -%}\n c')).toBe('abc');
  });
});

describe('the values of whoever asks', () => {
  it('are bound by their types', () => {
    const { values } = bind('{{ user.id }} {{ user.region }} {{ user.stores | list }} {{ user.groups | list }}');
    expect(values.map(({ type, value }) => [type, value])).toEqual([
      ['text', 'usr_1'],
      ['text', 'EU'],
      ['integer', '1'],
      ['integer', '2'],
      ['text', 'sales'],
      ['text', 'eu'],
    ]);
  });

  it.each(['email', 'empty', 'nobody', 'constructor', '__proto__', 'toString'])(
    'that are absent end the rendering in an outcome of its own: user.%s',
    (name) => {
      const absent = expect.objectContaining({ code: 'parameter.attribute_absent', path: ['user', name] });
      expect(() => bind(`select {{ user.${name} }}`)).toThrow(absent);
      // A condition may not turn absence into a branch that shows more.
      expect(() => bind(`{% if user.${name} != "EU" %}{% endif %}`)).toThrow(absent);
      expect(() => bind(`{% if not user.${name} %}{% endif %}`)).toThrow(absent);
    },
  );

  it('are all absent where nobody asks', () => {
    const options = { text: '{{ user.id }}', dialect: 'postgres', nowMs: 0, timeZone: 'UTC', given: {} } as const;
    expect(() => bindTemplate({ ...options, definitions: [], caller: undefined })).toThrow(
      expect.objectContaining({ code: 'parameter.attribute_absent' }),
    );
  });

  it('cannot be given with the question', () => {
    expect(() => bind('{{ user.region }}', { user: { region: 'US' } })).toThrow(
      expect.objectContaining({ code: 'parameter.invalid', path: ['user'] }),
    );
  });
});

describe('an identifier', () => {
  const column = define({ options: [{ value: 'a' }, { value: 'we"ird; drop table t' }] });

  it('is quoted, and taken from the list in the options alone', () => {
    expect(bind('select t.{{ p | identifier }} from t', { p: 'we"ird; drop table t' }, [column]).sql).toBe(
      'select t."we""ird; drop table t" from t',
    );
    expect(() => bind('select {{ p | identifier }}', { p: 'b' }, [column])).toThrow(
      expect.objectContaining({ code: 'parameter.invalid', path: ['p'] }),
    );
  });

  it('may be several', () => {
    expect(bind('select {{ p | identifier }}', { p: ['a', 'a'] }, [{ ...column, multiple: true }]).sql).toBe(
      'select "a", "a"',
    );
    expect(
      bind('select {% for c in p %}{{ c | identifier }}{% endfor %}', { p: ['a'] }, [{ ...column, multiple: true }])
        .sql,
    ).toBe('select "a"');
  });

  it('is refused without a list, out of a query, of whoever asks, and in quotes', () => {
    const attempts: [string, readonly ParameterDefinition[]][] = [
      ['select {{ p | identifier }}', []],
      ['select {{ p | identifier }}', [define({})]],
      ['select {{ user.region | identifier }}', [column]],
      ["select '{{ p | identifier }}'", [column]],
      ['select "{{ p | identifier }}"', [column]],
      ['select x{{ p | identifier }}', [column]],
      ['select {{ p | identifier | text }}', [column]],
    ];
    for (const [text, definitions] of attempts) {
      expect(() => bind(text, { p: 'a' }, definitions), text).toThrow(
        expect.objectContaining({ code: 'sql.rejected' }),
      );
    }
  });
});

describe('what is no template', () => {
  it.each([
    ['select {{ x', 'This tag is not closed. Text', 1, 8],
    ['select\n  {{ x }', '"}" cannot stand in a tag', 2, 8],
    ['select {{ }}', "Expected a parameter's name", 1, 11],
    ['select {{ x | }}', 'Expected a filter', 1, 15],
    ['select {{ x | upper }}', 'There is no filter "upper"', 1, 15],
    ['select {{ x | constructor }}', 'There is no filter "constructor"', 1, 15],
    ['select {{ x | int("a") }}', 'takes nothing in parentheses', 1, 15],
    ['select {{ x | date("MMMM") }}', '"MMMM" is no part of a date', 1, 15],
    ['select {{ x | date("YYYY }}', 'This tag is not closed', 1, 8],
    ['select {{ x | date(x) }}', 'Expected a text in quotes', 1, 20],
    ['{% if x %}', '{% endif %} is missing', 1, 1],
    ['a {% for x in y %}{% endif %}', 'A tag "endif" is not expected', 1, 19],
    ['{% endif %}', 'A tag "endif" is not expected', 1, 1],
    ['{% if x %}{% else %}{% else %}{% endif %}', 'A tag "else" is not expected', 1, 21],
    ['{{ x.constructor }}', '"x" has no part "constructor"', 1, 4],
    ['{{ x.start.start }}', 'Expected }}', 1, 11],
    ['{% if x = 1 %}', '"=" cannot stand', 1, 9],
    ['{% if (x %}{% endif %}', 'Expected )', 1, 10],
    ['{% for user in y %}{% endfor %}', 'cannot be the name', 1, 8],
    ['{% for x of y %}{% endfor %}', 'Expected in', 1, 10],
    ['{% include "x" %}', 'A tag "include" is not expected', 1, 1],
    ['{% raw %}', '{% endraw %} is missing', 1, 1],
    ['{{ loop.first }}', 'no loop around this', 1, 4],
    ["select '{{1,2},{3,4}}'", 'between {% raw %}', 1, 11],
    ['😀 {{ x', 'not closed', 1, 3],
  ])('%s is refused with its place', (text, message, line, column) => {
    expect(() => parseTemplate(text)).toThrow(
      expect.objectContaining({
        code: 'sql.rejected',
        message: expect.stringContaining(message),
        publicMessage: expect.stringContaining(`(line ${line}, column ${column})`),
      }),
    );
  });

  it.each([
    `{{ ''.constructor.constructor("return process")() }}`,
    `{{ range.constructor("return process")() }}`,
    `{{ cycler.__init__.__globals__ }}`,
    `{{ x.__proto__ }}`,
    `{{ __proto__ }}`,
    `{{ x["constructor"] }}`,
    `{{ x | constructor }}`,
    `{{ x | __proto__ }}`,
    `{{ self }}`,
    `{{ this.constructor }}`,
    `{{ constructor.constructor }}`,
    `{{ toString }}`,
    `{{ joiner.constructor("return process.mainModule.require('child_process')")() }}`,
    `{% for x in constructor %}{% endfor %}`,
    `{% for x in x.constructor %}{% endfor %}`,
    `{% if ''.constructor %}{% endif %}`,
    `{% set x = 1 %}`,
    '{{ `x` }}',
    '{{ x() }}',
    '{{ x.start() }}',
    '{{ loop.constructor }}',
    '{% for y in names %}{{ loop.__proto__ }}{% endfor %}',
  ])('an escape of other engines finds nothing to run: %s', (text) => {
    expect(() => bind(text)).toThrow(
      expect.objectContaining({
        name: 'AppError',
        code: expect.stringMatching(/^(sql\.rejected|parameter\.missing)$/),
      }),
    );
  });

  it('a range is not one value, and one value is no range', () => {
    const range = { p: { start: 'a', end: 'b' } };
    expect(() => bind('{{ p }}', range)).toThrow(/"p" is a range: write p.start or p.end/);
    expect(() => bind('{{ p.start }}', { p: 'a' })).toThrow(/"p" is no range/);
    expect(bind('{{ p.start }} {{ p.end }}', range).values.map(({ value }) => value)).toEqual(['a', 'b']);
  });
});

describe('the bounds of a template', () => {
  const many = Array.from({ length: 3_000 }, (_, index) => index);

  it('end loops within loops', () => {
    const text = '{% for a in x %}{% for b in x %}{% for c in x %}.{% endfor %}{% endfor %}{% endfor %}';
    expect(() => bind(text, { x: many })).toThrow(/more than 50000 steps/);
    expect(() => bind('{% for a in x %}{% for b in x %}{% endfor %}{% endfor %}', { x: many })).toThrow(/steps/);
    expect(() => bind('{% for a in x %}{% if a in x %}{% endif %}{% endfor %}', { x: many })).toThrow(/steps/);
  });

  it('end what is too long, nested too deeply, or has too many tags', () => {
    const tooLong = expect.objectContaining({ code: 'sql.too_long' });
    expect(() => bind(`{% for a in x %}${'y'.repeat(1_000)}{% endfor %}`, { x: many })).toThrow(tooLong);
    // Together these would be longer than any string can be.
    expect(() => bind(`{% for a in x %}${'y'.repeat(90_000)}{% endfor %}`, { x: many.concat(many, many) })).toThrow(
      tooLong,
    );
    expect(() => bind('{{ x | int }}', { x: many.concat(many).concat(many) })).toThrow(tooLong);
    expect(() => parseTemplate(`{{ x }}${' '.repeat(100_000)}`)).toThrow(tooLong);
    const deep = templateLimits.depthMax + 1;
    expect(() => parseTemplate('{% if x %}'.repeat(deep))).toThrow(/nested at most/);
    expect(() => parseTemplate(`{% if ${'('.repeat(deep)}`)).toThrow(/nested too deeply/);
    expect(() => parseTemplate(`{% if ${'not '.repeat(deep)}`)).toThrow(/nested too deeply/);
    expect(() => parseTemplate('{{ x }} '.repeat(templateLimits.tagsMax + 1))).toThrow(/at most 5000 tags/);
  });

  it('end what binds too much', () => {
    const long = 'x'.repeat(300_000);
    expect(() => bind('{{ x }} {{ x }} {{ x }} {{ x }}', { x: long })).toThrow(/binds more than/);
  });
});
