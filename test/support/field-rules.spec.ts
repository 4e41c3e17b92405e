import { describe, expect, it } from 'vitest';
import { newId } from '#libs/kernel';
import { parse, validate } from 'graphql';
import { fieldRules, nodeRules } from './field-rules.js';
import { listedTypes, openFields } from './open-fields.js';
import { objectTypes, servedSchema } from './served-schema.js';

const connections = listedTypes
  .split(' ')
  .flatMap((type) => [
    ...['edges', 'nodes', 'pageInfo', 'totalCount'].map((field) => `${type}Connection.${field}`),
    ...['cursor', 'node'].map((field) => `${type}Edge.${field}`),
  ]);
const open = Object.entries(openFields).flatMap(([type, fields]) =>
  fields
    .split(' ')
    .filter(Boolean)
    .map((field) => `${type}.${field}`),
);

describe('the tables of who may read which field', () => {
  it('have every field of every type of the served schema once, and nothing else', () => {
    const served = objectTypes().flatMap(({ name, fields }) => fields.map((field) => `${name}.${field}`));
    expect([...open, ...connections, ...Object.keys(fieldRules)].toSorted()).toEqual(served.toSorted());
  });

  it('have a rule for every type that is read by its id', () => {
    const nodes = objectTypes().filter(({ interfaces }) => interfaces.includes('Node'));
    expect(Object.keys(nodeRules).toSorted()).toEqual(nodes.map(({ name }) => name).toSorted());
  });

  it.each(Object.entries(fieldRules))('ask for %s as the schema has it', (name, { ask }) => {
    const document = `{ ${ask(() => newId('user'))} }`;
    expect(validate(servedSchema(), parse(document))).toEqual([]);
    expect(document).toContain(`it: ${name.split('.')[1]}`);
  });
});
