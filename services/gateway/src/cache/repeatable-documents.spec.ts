import { parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import { isRepeatable } from './repeatable-documents.js';

const isIt = (text: string): boolean => isRepeatable(parse(text));

describe('a document whose answer may be kept', () => {
  it('is one runQuery of what is the same for all executions of a result, under whatever names', () => {
    expect(isIt('mutation { runQuery(input: $i) { execution { id cache { ageSeconds } } errors { code } } }')).toBe(
      true,
    );
    expect(
      isIt('mutation A { x: runQuery { execution { ...F } } } fragment F on Execution { r: result { rows { rows } } }'),
    ).toBe(true);
  });

  it('asks nothing of times, traces, cursors or other services, not even in a fragment', () => {
    for (const field of ['submittedAt', 'finishedAt', 'traceId', 'dataSource { id }', 'submittedBy { name }', 'sql']) {
      expect(isIt(`mutation { runQuery { execution { id ${field} } } }`), field).toBe(false);
      expect(isIt(`mutation { runQuery { execution { ...F } } } fragment F on Execution { x: ${field} }`), field).toBe(
        false,
      );
    }
    expect(isIt('mutation { runQuery { execution { result { rows(first: 1) { endCursor } } } } }')).toBe(false);
  });

  it('is nothing but that', () => {
    expect(isIt('mutation { a: runQuery { errors { code } } b: runQuery { errors { code } } }')).toBe(false);
    expect(isIt('mutation { runQuery { errors { code } } invalidateCache { errors { code } } }')).toBe(false);
    expect(isIt('mutation { runQueries { results { errors { code } } } }')).toBe(false);
    expect(isIt('{ execution(id: "x") { id } }')).toBe(false);
    expect(isIt('mutation A { runQuery { errors { code } } } mutation B { signOut { errors { code } } }')).toBe(false);
  });
});
