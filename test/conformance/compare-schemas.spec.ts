import { buildSchema } from 'graphql';
import { describe, expect, it } from 'vitest';
import { compareSchemas } from './compare-schemas.ts';

const contract = `
  interface Node { id: ID! }
  type User implements Node { id: ID! name: String email: String }
  type Group { id: ID! }
  enum State { ON OFF }
  input One @oneOf { a: Int b: Int }
  input Many { a: Int! b: Int c: [Int!]! = [] }
  type Query { user(id: ID!, first: Int! = 10, search: String): User group: Group state: State one(one: One, many: Many): Int }
`;

const serve = (change: (text: string) => string) =>
  compareSchemas(buildSchema(contract), buildSchema(change(contract)));

describe('comparing the served schema with the contract', () => {
  it('finds nothing in a copy, nor in a superset', () => {
    const wider = (text: string) => text.replace('name: String', 'name: String age(in: String): Int');
    expect(serve((text) => text)).toEqual({ differences: [], absent: [] });
    expect(serve(wider)).toEqual({ differences: [], absent: [] });
  });

  it('lists absent types, fields, optional arguments, optional input fields and enum values', () => {
    const { differences, absent } = serve((text) =>
      text
        .replace('type Group { id: ID! }', '')
        .replace('group: Group ', '')
        .replace(' email: String', '')
        .replace(', search: String', '')
        .replace('a: Int! b: Int', 'a: Int!')
        .replace('ON OFF', 'ON'),
    );
    expect(differences).toEqual([]);
    expect(absent).toEqual(['Group', 'Many.b', 'Query.group', 'Query.user(search:)', 'State.OFF', 'User.email']);
  });

  it.each([
    ['another type', 'name: String', 'name: Int', 'User.name: String in the contract, Int served'],
    ['another nullability', 'name: String', 'name: String!', 'User.name: String in the contract, String! served'],
    ['another default', 'Int! = 10', 'Int! = 20', 'Query.user(first:) default: 10 in the contract, 20 served'],
    ['no default', 'Int! = 10', 'Int!', 'Query.user(first:) default: 10 in the contract, none served'],
    ['no @oneOf', ' @oneOf', '', 'One @oneOf: true in the contract, false served'],
    ['a missing interface', ' implements Node', '', 'User: does not implement Node'],
    [
      'a missing required argument',
      'id: ID!, first',
      'first',
      'Query.user(id:): required by the contract and not served',
    ],
    [
      'an added required argument',
      'group:',
      'group(x: Int!):',
      'Query.group(x:): required, and the contract does not have it',
    ],
    [
      'another kind',
      'enum State { ON OFF }',
      'scalar State',
      'State: GraphQLEnumType in the contract, GraphQLScalarType served',
    ],
  ])('refuses %s', (_name, from, to, difference) => {
    expect(serve((text) => text.replace(from, to)).differences).toEqual([difference]);
  });
});
