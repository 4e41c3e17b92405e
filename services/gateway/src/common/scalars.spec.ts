import { GraphQLError, parseValue } from 'graphql';
import { describe, expect, it } from 'vitest';
import { scalars } from './scalars.js';

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? { a: value } : [value];
  return value;
}

describe.each([scalars.JSON, scalars.JSONObject])('an input of type $name', (scalar) => {
  it('is taken as it is', () => {
    for (const value of [{}, { a: [1, 'b', null, { c: true }] }, { a: nested(31) }]) {
      expect(scalar.parseValue(value)).toBe(value);
    }
  });

  it('is refused where it is nested too deep to be carried, as a fault of who sent it', () => {
    for (const depth of [32, 100_000]) {
      expect(() => scalar.parseValue({ a: nested(depth) })).toThrowError(GraphQLError);
    }
  });

  it('holds no more values than services can be asked to carry', () => {
    expect(scalar.parseValue({ a: Array(9_998).fill(1) })).toBeDefined();
    expect(() => scalar.parseValue({ a: Array(9_999).fill(1) })).toThrowError(GraphQLError);
  });

  it('is no less bounded as a literal', () => {
    const literal = `{ a: ${'['.repeat(40)}${']'.repeat(40)} }`;
    expect(() => scalar.parseLiteral(parseValue(literal), {})).toThrowError(GraphQLError);
  });
});
