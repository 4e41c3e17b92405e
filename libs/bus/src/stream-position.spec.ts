import { describe, expect, it } from 'vitest';
import { StreamPosition } from './stream-position.js';
import type { StreamState } from './stream-state.js';

const gone: StreamState = { lastId: '0-0', firstId: undefined, entriesAdded: 0 };
const at = (lastId: string, entriesAdded: number | undefined, firstId = '1-0'): StreamState => ({
  ...{ lastId, firstId, entriesAdded },
});

/** A position at 5-0 of a stream that was given five entries, the last of them heard. */
function placed(): StreamPosition {
  const position = new StreamPosition();
  position.compare(at('4-0', 4));
  position.advance('5-0');
  return position;
}

describe('the place of a group-less reader', () => {
  it('begins at the present end of the stream', () => {
    const position = new StreamPosition();
    expect(position.compare(at('7-3', 12))).toBe('begun');
    expect(position.id).toBe('7-3');
  });

  it.each([
    ['is at the end', at('5-0', 5), 'whole', '5-0'],
    ['has more to read', at('9-0', 9), 'whole', '5-0'],
    ['sees that the stream is gone', gone, 'gap', '0-0'],
    ['sees that ids went back', at('3-0', 3), 'gap', '0-0'],
    ['sees that entries before it were trimmed away unread', at('9-0', 9, '8-0'), 'gap', '9-0'],
    ['sees another stream with greater ids', at('9-0', 2, '8-0'), 'gap', '9-0'],
    ['sees another stream with the same end', at('5-0', 1, '5-0'), 'gap', '5-0'],
    ['trusts the ids where Redis does not count', at('5-0', undefined), 'whole', '5-0'],
  ])('%s', (_what, state, comparison, id) => {
    const position = placed();
    expect(position.compare(state)).toBe(comparison);
    expect(position.id).toBe(id);
  });

  it('finds an emptied stream that was filled again between two looks by its count alone', () => {
    const position = placed();
    position.advance('9-0');
    expect(position.compare(at('9-0', 1, '9-0'))).toBe('gap');
  });

  it('goes on without another gap once it has found its place in the new stream', () => {
    const position = placed();
    position.compare(gone);
    position.advance('2-0');
    expect(position.compare(at('2-0', 1, '2-0'))).toBe('whole');
  });
});
