import { parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import { newId } from '#libs/kernel';
import { rootRules } from './root-rules.js';
import { rootFields } from './served-schema.js';

describe('the table of who may use which root field', () => {
  it('has a rule for every query, mutation and subscription of the served schema, and for nothing else', () => {
    expect(Object.keys(rootRules).toSorted()).toEqual(
      rootFields()
        .map(({ name }) => name)
        .toSorted(),
    );
  });

  it.each(rootFields())('asks for $name with arguments that it has', ({ name, document, argumentNames }) => {
    expect(() => parse(document)).not.toThrow();
    const args = rootRules[name]?.args?.((kind) => newId(kind)) ?? {};
    expect(Object.keys(args).filter((given) => !argumentNames.includes(given))).toEqual([]);
  });
});
