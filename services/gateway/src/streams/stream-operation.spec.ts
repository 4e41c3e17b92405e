import { buildSchema, parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import type { Session } from '../sessions/session.js';
import { audienceOf } from './stream-operation.js';

const schema = buildSchema('type Query { a: Int }');
const text = 'subscription ($id: ID!, $from: EventCursor) { executionEvents(id: $id, after: $from) { cursor } }';

function audience(variables: Record<string, unknown>, authorization = 'Key one', query = text): string {
  // Of a session only its credentials count.
  return audienceOf({ authorization } as Session, query, { schema, document: parse(query), variableValues: variables });
}

describe('Who may be told the same', () => {
  it('are those with equal credentials, documents and variables, wherever they begin', () => {
    const one = audience({ id: 'exe_1', from: 'a' });
    expect(audience({ from: 'b', id: 'exe_1' })).toBe(one);
    expect(audience({ id: 'exe_1' })).toBe(one);
    expect(audience({ id: 'exe_2' })).not.toBe(one);
    expect(audience({ id: 'exe_1' }, 'Key other')).not.toBe(one);
    expect(audience({ id: 'exe_1' }, 'Key one', `${text} `)).not.toBe(one);
  });

  it('are not those whose place is used for something else too', () => {
    const query = `subscription ($from: EventCursor) {
      executionEvents(id: "exe_1", after: $from) { execution { result { rows(after: $from) { rows } } } } }`;
    expect(audience({ from: 'a' }, 'Key one', query)).not.toBe(audience({ from: 'b' }, 'Key one', query));
  });
});
