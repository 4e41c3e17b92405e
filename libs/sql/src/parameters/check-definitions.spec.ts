import { describe, expect, it } from 'vitest';
import { checkDefinitions, type ParameterDefinition } from '../index.js';

const define = (more: Partial<ParameterDefinition>): ParameterDefinition => ({
  name: 'p',
  type: 'TEXT',
  multiple: false,
  required: true,
  ...more,
});
const pathsOf = (...definitions: ParameterDefinition[]) =>
  checkDefinitions(definitions).map(({ path }) => path.join('.'));

describe('definitions', () => {
  it('that fit together have no faults', () => {
    expect(
      pathsOf(
        define({ name: 'a', options: [{ value: 'x' }], default: 'x' }),
        define({ name: 'b', type: 'INTEGER', minimum: 1, maximum: 9, default: 5, multiple: true }),
        define({ name: 'c', type: 'DATE_RANGE', default: 'last 7 days', maximum: 'today' }),
        define({
          name: 'd',
          type: 'INTEGER',
          options: [{ value: 1 }, { value: '2' }],
          multiple: true,
          default: ['1', 2],
        }),
        define({ name: 'e', optionsQueryId: 'qry_1', default: 'whatever' }),
        define({ name: 'constructor', options: null, optionsQueryId: null, default: null, minimum: null }),
      ),
    ).toEqual([]);
  });

  it.each<[Partial<ParameterDefinition>, string]>([
    [{ name: '' }, '0.name'],
    [{ name: '1a' }, '0.name'],
    [{ name: 'a-b' }, '0.name'],
    [{ name: '__proto__' }, '0.name'],
    [{ name: 'user' }, '0.name'],
    [{ name: 'loop' }, '0.name'],
    [{ name: 'null' }, '0.name'],
    [{ name: 'a'.repeat(65) }, '0.name'],
    [{ type: 'DATE_RANGE', multiple: true }, '0.multiple'],
    [{ type: 'DATE_RANGE', options: [{ value: 'today' }] }, '0.options'],
    [{ type: 'DATE_RANGE', optionsQueryId: 'qry_1' }, '0.optionsQueryId'],
    [{ options: [{ value: 'a' }], optionsQueryId: 'qry_1' }, '0.optionsQueryId'],
    [{ options: [] }, '0.options'],
    [{ type: 'INTEGER', options: [{ value: 1 }, { value: 'x' }] }, '0.options.1.value'],
    [{ options: [{ value: null }] }, '0.options.0.value'],
    [{ type: 'INTEGER', default: 'x' }, '0.default'],
    [{ type: 'INTEGER', default: 0, minimum: 1 }, '0.default'],
    [{ default: 'b', options: [{ value: 'a' }] }, '0.default'],
    [{ minimum: 'a' }, '0.minimum'],
    [{ type: 'BOOLEAN', maximum: true }, '0.maximum'],
    [{ type: 'INTEGER', minimum: 'x' }, '0.minimum'],
    [{ type: 'INTEGER', minimum: 2, maximum: 1 }, '0.maximum'],
    [{ type: 'DATE_RANGE', default: 'last 3 hours' }, '0.default'],
  ])('that do not fit tell where: %j', (more, path) => {
    expect(pathsOf(define(more))).toContain(path);
    expect(checkDefinitions([define(more)]).every(({ code }) => code === 'input.invalid')).toBe(true);
  });

  it('have names of their own', () => {
    expect(pathsOf(define({}), define({}))).toEqual(['1.name']);
  });

  it('are at most 100', () => {
    expect(checkDefinitions(Array.from({ length: 101 }, (_, index) => define({ name: `p${index}` })))).toHaveLength(1);
  });
});
