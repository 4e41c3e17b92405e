import { getIntrospectionQuery, parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import { endless, measureDocument } from './measure-operation.js';

const measure = (text: string) => measureDocument(parse(text));

describe('the measure of a document', () => {
  it('counts depth, fields, aliases and directives', () => {
    expect(measure('{ a { b @skip(if: true) @include(if: true) c: d { e } } }')).toEqual({
      depth: 3,
      fields: 4,
      aliases: 1,
      directives: 2,
      directivesAtOnce: 2,
    });
  });

  it('counts a fragment wherever it is used, and repeated fields as often as they stand there', () => {
    const { fields, depth } = measure('{ ...f x { ...f } a a a } fragment f on T { one two { three } }');
    expect(fields).toBe(2 * 3 + 4);
    expect(depth).toBe(3);
  });

  it('of fragments that multiply is had at once', () => {
    const levels = Array.from({ length: 60 }, (_, n) => `fragment f${n} on T { ...f${n + 1} ...f${n + 1} }`);
    const { fields } = measure(`{ ...f0 } ${levels.join(' ')} fragment f60 on T { a }`);
    expect(fields).toBeGreaterThan(1e15);
  });

  it('of fragments in a circle has no end', () => {
    expect(measure('{ ...f } fragment f on T { a { ...g } } fragment g on T { ...f }').fields).toBe(Infinity);
  });

  it('of a schema in place of an operation has no end', () => {
    expect(measure('type T { a: Int }')).toEqual(endless);
  });

  it('does not count the nesting and the fields of introspection', () => {
    const { depth, fields } = measure(getIntrospectionQuery({ inputValueDeprecation: true, oneOf: true }));
    expect([depth, fields]).toEqual([1, 1]);
  });

  it('counts fragments that nothing uses', () => {
    expect(measure('{ a } fragment f on T { one two }').fields).toBe(3);
  });
});
