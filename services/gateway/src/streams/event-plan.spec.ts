import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { buildSchema, execute, parse, type DocumentNode, type ExecutionResult } from 'graphql';
import { describe, expect, it } from 'vitest';
import type { ExecutionEvent } from '../events/execution-event.js';
import { plainData } from './event-plan.js';

const schema = buildSchema(readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'));
const field = schema.getSubscriptionType()?.getFields()['executionEvents'];
if (!field) throw new Error('the schema has no executionEvents');
field.resolve = (event: unknown) => event;

const place = { cursor: 'c1', place: 'p1' };
const at = new Date('2030-01-02T03:04:05.678Z');
const execution = { id: 'exe_1', state: 'RUNNING' };
// What is not read here is left out of them.
const events = [
  { __typename: 'ExecutionSnapshot', execution, ...place },
  { __typename: 'ExecutionStateChanged', execution, state: 'RUNNING', version: 7, at, ...place },
  { __typename: 'ExecutionProgressed', execution, ...place },
  { __typename: 'EventsSkipped', execution: null, reason: 'The "result" has expired.', ...place },
] as unknown as ExecutionEvent[];

function documentOf(selection: string): DocumentNode {
  return parse(
    `subscription Named($id: ID!, $isWanted: Boolean = false) { told: executionEvents(id: $id) { ${selection} } }
     fragment Changed on ExecutionStateChanged { state since: at ...Placed }
     fragment Placed on ExecutionEvent { cursor kind: __typename }`,
  );
}

function executed(document: DocumentNode, event: ExecutionEvent): ExecutionResult {
  const result = execute({ schema, document, rootValue: event, variableValues: { id: 'exe_1' } });
  if ('then' in result) throw new Error('nothing here waits');
  return result;
}

const changed = events[1] as ExecutionEvent;
const plainOf = (selection: string, event = changed): unknown =>
  plainData({ schema, document: documentOf(selection) }, event);

describe('An event of plain values', () => {
  const plainParts = [
    '__typename',
    'cursor',
    'again: cursor',
    '...Placed',
    '... on ExecutionEvent { kind: __typename cursor }',
    '... { cursor }',
    '... on ExecutionStateChanged { version state at }',
    '...Changed',
    '... on EventsSkipped { reason because: reason }',
    '... on RowsAppended { page { offset } }',
  ];
  const selection = fc
    .array(fc.constantFrom(...plainParts), { minLength: 1, maxLength: 6 })
    .map((all) => all.join(' '));

  it('is told as GraphQL would execute it, to the byte', () => {
    fc.assert(
      fc.property(selection, fc.constantFrom(...events), (text, event) => {
        const document = documentOf(text);
        const { data, errors } = executed(document, event);
        expect(errors).toBeUndefined();
        const plain = plainData({ schema, document }, event);
        expect(plain).toBeDefined();
        expect(JSON.stringify(plain)).toBe(JSON.stringify(data));
      }),
    );
  });

  it('is found again for the same document', () => {
    const document = documentOf('cursor ... on ExecutionStateChanged { version }');
    for (const version of [7, 8]) {
      const event = { ...changed, version } as ExecutionEvent;
      expect(plainData({ schema, document }, event)).toEqual({ told: { cursor: 'c1', version } });
    }
    expect(plainData({ schema, document, operationName: 'Named' }, events[2] as ExecutionEvent)).toEqual({
      told: { cursor: 'c1' },
    });
  });
});

describe('An event is left to the execution', () => {
  it('where its document selects an object', () => {
    expect(plainOf('cursor execution { id }')).toBeUndefined();
  });

  it('where it gives a value the name __proto__, which an object does not hold', () => {
    expect(plainOf('cursor __proto__: cursor')).toBeUndefined();
    expect(plainOf('... on ExecutionStateChanged { __proto__: version }')).toBeUndefined();
  });

  it('where a directive decides what is told', () => {
    expect(plainOf('cursor @include(if: $isWanted)')).toBeUndefined();
    expect(plainOf('... on ExecutionStateChanged @skip(if: $isWanted) { version }')).toBeUndefined();
  });

  it('where a value is missing or of another type, so that the error has its path', () => {
    const selection = 'cursor ... on ExecutionStateChanged { version }';
    for (const version of [undefined, null, 'seven']) {
      const event = { ...changed, version } as unknown as ExecutionEvent;
      expect(plainOf(selection, event)).toBeUndefined();
      expect(executed(documentOf(selection), event).errors?.[0]?.path).toEqual(['told', 'version']);
    }
  });
});
