import { describe, expect, test } from 'vitest';
import type { ExecutionEvent } from './api-types.js';
import { checkHistory, type History } from './history.js';

const execution = (version: number): ExecutionEvent['execution'] => ({
  id: 'exe_1',
  state: 'RUNNING',
  version,
  progress: { rows: 0 },
});

const snapshot = (version: number): ExecutionEvent => ({
  __typename: 'ExecutionSnapshot',
  cursor: 's',
  execution: execution(version),
});

const rows = (offset: number, count: number): ExecutionEvent => ({
  __typename: 'RowsAppended',
  cursor: 'r',
  execution: execution(2),
  page: {
    offset,
    rows: Array.from({ length: count }, (_, index) => [offset + index]),
    endCursor: 'e',
    hasNextPage: true,
  },
});

const state = (name: NonNullable<ExecutionEvent['state']>, version: number): ExecutionEvent => ({
  __typename: 'ExecutionStateChanged',
  cursor: 'c',
  execution: execution(version),
  state: name,
  version,
});

function history(...sittings: { events: ExecutionEvent[]; end?: string }[]): History {
  return {
    id: 'exe_1',
    includeRows: true,
    sittings: sittings.map(({ events, end = 'complete' }) => ({
      gateway: 'a',
      events,
      receivedAtMs: events.map(() => 0),
      end,
    })),
  };
}

describe('The checker of histories', () => {
  test('finds nothing in a history that keeps every promise, over a broken connection too', () => {
    const {
      faults,
      rows: told,
      finalState,
    } = checkHistory(
      history(
        { events: [snapshot(1), state('RUNNING', 2), rows(0, 3)], end: 'closed with 1006' },
        { events: [snapshot(2), rows(3, 2), state('SUCCEEDED', 3)] },
      ),
    );
    expect({ faults, told: told.length, finalState }).toEqual({ faults: [], told: 5, finalState: 'SUCCEEDED' });
  });

  test.each([
    ['a row told twice', [snapshot(1), rows(0, 3), rows(2, 2), state('SUCCEEDED', 2)], 'repeat'],
    ['a row left out', [snapshot(1), rows(0, 3), rows(4, 2), state('SUCCEEDED', 2)], 'gap'],
    ['a version that shrinks', [snapshot(3), state('RUNNING', 2), state('SUCCEEDED', 4)], 'came behind version'],
    ['no snapshot', [state('SUCCEEDED', 2)], 'began with'],
    ['a final state before the last row', [snapshot(1), state('SUCCEEDED', 3), rows(0, 1)], 'behind the final state'],
    ['two final states', [snapshot(1), state('CANCELED', 2), state('SUCCEEDED', 3)], 'two final states'],
    ['no final state', [snapshot(1), rows(0, 1)], 'no final state'],
  ])('finds %s', (_, events, fault) => {
    expect(checkHistory(history({ events })).faults.join('\n')).toContain(fault);
  });

  test('finds a history that never ended', () => {
    expect(checkHistory(history({ events: [snapshot(1)], end: 'closed with 1011' })).faults.join('\n')).toContain(
      'never completed',
    );
  });
});
