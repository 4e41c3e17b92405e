import { describe, expect, it } from 'vitest';
import { AppError, type JsonObject, type JsonValue } from '#libs/kernel';
import { isTimeZone, keyOfValues } from '../index.js';
import type { ParameterDefinition } from './parameter-definition.js';
import { resolveParameters } from './resolve-parameters.js';

const time = { nowMs: Date.UTC(2026, 10, 21, 7, 30, 45), timeZone: 'Europe/Berlin' };
const define = (more: Partial<ParameterDefinition>): ParameterDefinition => ({
  name: 'p',
  type: 'TEXT',
  multiple: false,
  required: true,
  ...more,
});

function resolve(
  definition: Partial<ParameterDefinition>,
  given: JsonObject,
  queryOptions?: ReadonlyMap<string, JsonValue[]>,
) {
  return resolveParameters({ ...time, definitions: [define(definition)], given, names: new Set(['p']), queryOptions });
}
const shownFor = (definition: Partial<ParameterDefinition>, p: JsonValue) => resolve(definition, { p }).parameters['p'];

function issuesOf(run: () => unknown) {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError) return error.issues.map(({ code, path, message }) => ({ code, path, message }));
    throw error;
  }
  return [];
}

describe('a parameter of a type', () => {
  it.each<[ParameterDefinition['type'], JsonValue, JsonValue]>([
    ['TEXT', 'a', 'a'],
    ['TEXT', '', ''],
    ['INTEGER', 7, 7],
    ['INTEGER', '007', 7],
    ['INTEGER', '-0', 0],
    ['INTEGER', '9007199254740993', '9007199254740993'],
    ['NUMBER', 1.5, 1.5],
    ['NUMBER', '1.50', '1.50'],
    ['NUMBER', '.5', 0.5],
    ['NUMBER', '1E+3', '1e3'],
    ['NUMBER', 1e21, '1e21'],
    ['BOOLEAN', true, true],
    ['BOOLEAN', 'false', false],
    ['DATE', '2024-02-29', '2024-02-29'],
    ['DATE', 'Today', '2026-11-21'],
    ['DATE', 'yesterday', '2026-11-20'],
    ['DATETIME', '2026-11-21T08:30:00+01:00', '2026-11-21T07:30:00.000Z'],
    ['DATETIME', '2026-11-21 08:30', '2026-11-21T07:30:00.000Z'],
    ['DATETIME', '2026-11-21', '2026-11-20T23:00:00.000Z'],
    ['DATETIME', '2026-11-21T07:30:00.123456Z', '2026-11-21T07:30:00.123456Z'],
    ['DATETIME', 'now', '2026-11-21T07:30:00.000Z'],
    ['DATE_RANGE', { start: '2026-11-01', end: 'today' }, { start: '2026-11-01', end: '2026-11-21' }],
    ['DATE_RANGE', 'last 7 days', { start: '2026-11-15', end: '2026-11-21' }],
    [
      'DATETIME_RANGE',
      { start: '2026-11-21T00:00Z', end: 'now' },
      { start: '2026-11-21T00:00:00.000Z', end: '2026-11-21T07:30:00.000Z' },
    ],
  ])('%s takes %j and is shown as %j', (type, given, shown) => {
    expect(shownFor({ type }, given)).toEqual(shown);
  });

  it.each<[ParameterDefinition['type'], JsonValue, string]>([
    ['TEXT', 7, 'a text'],
    ['TEXT', 'a\0b', 'a text'],
    ['TEXT', '\ud800', 'a text'],
    ['INTEGER', 1.5, 'an integer'],
    ['INTEGER', '1.0', 'an integer'],
    ['INTEGER', '1e3', 'an integer'],
    ['INTEGER', 2 ** 53, 'an integer'],
    ['INTEGER', ' 1', 'an integer'],
    ['INTEGER', '1_000', 'an integer'],
    ['INTEGER', '9'.repeat(101), 'an integer'],
    ['INTEGER', true, 'an integer'],
    ['INTEGER', [1], 'an integer'],
    ['INTEGER', { start: 1 }, 'an integer'],
    ['NUMBER', 'NaN', 'a number'],
    ['NUMBER', 'Infinity', 'a number'],
    ['NUMBER', '0x10', 'a number'],
    ['NUMBER', '1e9999', 'a number'],
    ['NUMBER', '.', 'a number'],
    ['BOOLEAN', 1, 'true or false'],
    ['BOOLEAN', 'TRUE', 'true or false'],
    ['DATE', '2026-02-29', 'a date'],
    ['DATE', '2026-2-1', 'a date'],
    ['DATE', '0000-01-01', 'a date'],
    ['DATE', '2026-11-21T00:00:00Z', 'a date'],
    ['DATE', 'last 7 days', 'a date'],
    ['DATETIME', '2026-11-21T25:00', 'a date and time'],
    ['DATETIME', '2026-02-30T00:00Z', 'a date and time'],
    ['DATETIME', '2026-11-21T07:30:00.1234567Z', 'a date and time'],
    ['DATETIME', '2026-11-21T07:30[Europe/Paris]', 'a date and time'],
    ['DATE_RANGE', 'last 24 hours', 'a range of dates'],
    ['DATE_RANGE', 'last 0 days', 'a range of dates'],
    ['DATE_RANGE', 'last 9999 years', 'a range of dates'],
    ['DATE_RANGE', { start: '2026-11-01', end: '2026-11-02', and: 1 }, 'a range of dates'],
    ['DATE_RANGE', { start: '2026-11-02', end: '2026-11-01' }, 'a range that does not end before it starts'],
    ['DATE_RANGE', ['2026-11-01', '2026-11-02'], 'a range of dates'],
    ['DATETIME_RANGE', 'tomorrow', 'a range of times'],
  ])('%s refuses %j and says that it must be %s', (type, given, expected) => {
    const [issue] = issuesOf(() => resolve({ type }, { p: given }));
    expect(issue).toMatchObject({ code: 'parameter.invalid', path: ['p'] });
    expect(issue?.message).toContain(`Parameter "p" must be ${expected}`);
  });

  it('points into a range and a list', () => {
    expect(issuesOf(() => resolve({ type: 'DATE_RANGE' }, { p: { start: '2026-11-01', end: 'x' } }))[0]?.path).toEqual([
      'p',
      'end',
    ]);
    expect(issuesOf(() => resolve({ type: 'DATE_RANGE' }, { p: { start: '2026-11-01' } }))[0]?.path).toEqual([
      'p',
      'end',
    ]);
    expect(issuesOf(() => resolve({ type: 'INTEGER', multiple: true }, { p: [1, 'x'] }))[0]?.path).toEqual(['p', '1']);
    expect(issuesOf(() => resolve({ type: 'INTEGER', multiple: true }, { p: [null] }))[0]?.path).toEqual(['p', '0']);
  });

  it('that is multiple takes a list or one value, and at most 10,000', () => {
    expect(shownFor({ type: 'INTEGER', multiple: true }, [1, '2'])).toEqual([1, 2]);
    expect(shownFor({ type: 'INTEGER', multiple: true }, 1)).toEqual([1]);
    expect(issuesOf(() => resolve({ multiple: true }, { p: Array.from({ length: 10_001 }, () => 'a') }))).toHaveLength(
      1,
    );
  });
});

describe('a value that is not given', () => {
  it('is the default, with its words resolved', () => {
    expect(resolve({ type: 'DATE_RANGE', default: 'this month' }, {}).parameters).toEqual({
      p: { start: '2026-11-01', end: '2026-11-30' },
    });
    expect(resolve({ default: 'a' }, { p: null }).parameters).toEqual({ p: 'a' });
  });

  it('is missing where it is required, and the parameter says what it must be', () => {
    const missing = {
      code: 'parameter.missing',
      path: ['p'],
      message: 'Parameter "p" is missing; it must be an integer.',
    };
    expect(issuesOf(() => resolve({ type: 'INTEGER' }, {}))).toEqual([missing]);
    expect(issuesOf(() => resolve({ type: 'INTEGER' }, { p: null }))).toEqual([missing]);
    expect(issuesOf(() => resolve({ multiple: true }, { p: [] }))).toMatchObject([{ code: 'parameter.missing' }]);
  });

  it('is NULL of its type, or no values, where it is not', () => {
    expect(resolve({ type: 'INTEGER', required: false }, {}).values.get('p')?.value).toEqual({
      kind: 'scalar',
      value: { type: 'integer', value: null },
    });
    expect(resolve({ multiple: true, required: false }, {}).parameters).toEqual({ p: [] });
    expect(resolve({ type: 'DATE_RANGE', required: false }, {}).parameters).toEqual({ p: { start: null, end: null } });
    expect(resolve({ required: false, options: [{ value: 'a' }] }, {}).parameters).toEqual({ p: null });
  });
});

describe('an allowed value', () => {
  it('is one of the options, whatever its JSON looks like', () => {
    const options = [{ value: 1 }, { value: '2' }];
    expect(shownFor({ type: 'INTEGER', options }, '1')).toBe(1);
    expect(issuesOf(() => resolve({ type: 'INTEGER', options }, { p: 3 }))).toEqual([
      { code: 'parameter.invalid', path: ['p'], message: 'Parameter "p" must be one of its options.' },
    ]);
    expect(issuesOf(() => resolve({ type: 'INTEGER', options, multiple: true }, { p: [1, 3] }))[0]?.path).toEqual([
      'p',
      '1',
    ]);
    expect(issuesOf(() => resolve({ type: 'INTEGER', options, default: 3 }, {}))).toHaveLength(1);
  });

  it('is what the options query answers, and nothing where it was not asked', () => {
    const definition = { optionsQueryId: 'qry_1' };
    expect(resolve(definition, { p: 'a' }, new Map([['p', ['a', 'b']]])).parameters).toEqual({ p: 'a' });
    expect(issuesOf(() => resolve(definition, { p: 'c' }, new Map([['p', ['a', 'b']]])))).toHaveLength(1);
    expect(issuesOf(() => resolve(definition, { p: 'a' }))).toHaveLength(1);
    // Its answer is data: no list of identifiers.
    expect(resolve(definition, { p: 'a' }, new Map([['p', ['a']]])).values.get('p')?.isFromOptions).toBe(false);
  });

  it.each<[Partial<ParameterDefinition>, JsonValue, boolean]>([
    [{ type: 'INTEGER', minimum: 1, maximum: 9 }, 1, true],
    [{ type: 'INTEGER', minimum: 1, maximum: 9 }, 9, true],
    [{ type: 'INTEGER', minimum: 1, maximum: 9 }, 10, false],
    [{ type: 'INTEGER', minimum: 1, multiple: true }, [1, 0], false],
    [{ type: 'NUMBER', maximum: '0.3' }, '0.30000000000000001', false],
    [{ type: 'NUMBER', maximum: '0.3' }, '3e-1', true],
    [{ type: 'DATE', maximum: 'today' }, '2026-11-22', false],
    [{ type: 'DATE', maximum: 'today' }, '2026-11-21', true],
    [{ type: 'DATETIME', minimum: '2026-11-21T00:00Z' }, '2026-11-20T23:59:59.999999Z', false],
    [{ type: 'DATETIME', minimum: '2026-11-21T00:00:00.123456Z' }, '2026-11-21T00:00:00.123Z', false],
    [{ type: 'DATE_RANGE', minimum: '2026-01-01' }, { start: '2025-12-31', end: '2026-01-02' }, false],
    [{ type: 'INTEGER', minimum: 'nonsense' }, 1, false],
  ])('is within the bounds of %j: %j %s', (definition, p, isAllowed) => {
    expect(issuesOf(() => resolve(definition, { p })).map(({ code }) => code)).toEqual(
      isAllowed ? [] : ['parameter.invalid'],
    );
  });
});

describe('a value that nobody declared', () => {
  const undeclared = (given: JsonObject, names: string[]) =>
    resolveParameters({ ...time, definitions: [], given, names: new Set(names) });

  it('is of the type that JSON gives it', () => {
    const { values } = undeclared({ a: 'x', b: 1, c: 1.5, d: true, e: ['x', 1] }, ['a', 'b', 'c', 'd', 'e']);
    expect([...values.values()].map(({ value }) => (value.kind === 'scalar' ? value.value.type : value.kind))).toEqual([
      'text',
      'integer',
      'number',
      'boolean',
      'list',
    ]);
  });

  it('is refused where it is no value, where nothing reads it, and where it is not given', () => {
    const wrong: JsonValue[] = [{ a: 1 }, [[1]], [null], { start: 1 }, 'a\0'];
    for (const x of wrong) {
      expect(
        issuesOf(() => undeclared({ x }, ['x'])),
        JSON.stringify(x),
      ).toMatchObject([{ code: 'parameter.invalid', path: ['x'] }]);
    }
    expect(issuesOf(() => undeclared({ x: 1, y: 1 }, ['x', 'z']))).toMatchObject([
      { code: 'parameter.invalid', path: ['y'], message: 'There is no parameter "y".' },
      { code: 'parameter.missing', path: ['z'] },
    ]);
  });

  it('may be called what an object has by itself', () => {
    const given = JSON.parse('{"constructor": 1, "toString": 2}') as JsonObject;
    expect(undeclared(given, ['constructor', 'toString']).parameters).toEqual(given);
    expect(issuesOf(() => undeclared({}, ['constructor']))).toMatchObject([{ code: 'parameter.missing' }]);
    expect(issuesOf(() => undeclared(JSON.parse('{"__proto__": 1}') as JsonObject, []))).toMatchObject([
      { path: ['__proto__'] },
    ]);
  });
});

describe('faults', () => {
  it('are told all at once', () => {
    const definitions = [
      define({ name: 'a', type: 'INTEGER' }),
      define({ name: 'b' }),
      define({ name: 'c', required: false }),
    ];
    const run = () => resolveParameters({ ...time, definitions, given: { a: 'x', d: 1 }, names: new Set() });
    expect(issuesOf(run).map(({ code, path }) => [code, ...path])).toEqual([
      ['parameter.invalid', 'a'],
      ['parameter.missing', 'b'],
      ['parameter.invalid', 'd'],
    ]);
  });

  it('never repeat the value', () => {
    const messages = issuesOf(() => resolve({ type: 'INTEGER' }, { p: 'hunter2' }));
    expect(JSON.stringify(messages)).not.toContain('hunter2');
  });

  it('know time zones by the names that IANA gave them', () => {
    expect(['UTC', 'Europe/Berlin', 'America/Argentina/Ushuaia', 'Etc/GMT+5'].every(isTimeZone)).toBe(true);
  });

  it.each(['Mars/Olympus', '+01:00', '', 'UTC; drop', '__proto__'])(
    'name a time zone that there is not: %s',
    (timeZone) => {
      expect(() => resolveParameters({ nowMs: 0, timeZone, definitions: [], given: {}, names: new Set() })).toThrow(
        expect.objectContaining({ code: 'input.invalid' }),
      );
    },
  );
});

describe('the key of values', () => {
  it('is equal for equal values, and differs by type, form and order', () => {
    const one = { type: 'integer', value: '1' } as const;
    const text = { type: 'text', value: '1' } as const;
    const keys = [
      [one],
      [text],
      [one, text],
      [text, one],
      [{ type: 'text', value: null } as const],
      [{ type: 'text', value: 'null' } as const],
    ].map(keyOfValues);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keyOfValues([{ ...one }])).toBe(keyOfValues([one]));
  });
});
