import { buildSchema, parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import { askedOf } from './stream-operation.js';

const schema = buildSchema('type Query { a: Int }');
const text = 'subscription ($id: ID!, $from: EventCursor) { executionEvents(id: $id, after: $from) { cursor } }';

function asked(variables: Record<string, unknown>, query = text, authorization = 'Key one'): string {
  return askedOf({ authorization }, query, { schema, document: parse(query), variableValues: variables });
}

describe('Who asks for the same', () => {
  it('are those with equal documents and variables, wherever they begin', () => {
    const one = asked({ id: 'exe_1', from: 'a' });
    expect(asked({ from: 'b', id: 'exe_1' })).toBe(one);
    expect(asked({ id: 'exe_1' })).toBe(one);
    expect(asked({ id: 'exe_2' })).not.toBe(one);
    expect(asked({ id: 'exe_1' }, `${text} `)).not.toBe(one);
    expect(asked({ id: 'exe_1' }, text, 'Key other')).toBe(one);
  });

  it('are those with the same token alone where something is made of it: the address of a download', () => {
    const query = `subscription { executionEvents(id: "exe_1") { ...file } }
      fragment file on ExecutionEvent { execution { result { address: download(format: CSV) { url } } } }`;
    expect(asked({}, query)).toBe(asked({}, query));
    expect(asked({}, query, 'Key other')).not.toBe(asked({}, query));
  });

  it('are not those whose place is used for something else too', () => {
    const query = `subscription ($from: EventCursor) {
      executionEvents(id: "exe_1", after: $from) { execution { result { rows(after: $from) { rows } } } } }`;
    expect(asked({ from: 'a' }, query)).not.toBe(asked({ from: 'b' }, query));
  });
});
