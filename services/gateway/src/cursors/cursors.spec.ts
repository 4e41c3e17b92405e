import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CursorKeys } from './cursor-keys.js';
import { Cursors, type ExecutionPosition } from './cursors.js';

const newKey = () => randomBytes(32).toString('base64');
const [first, second] = [newKey(), newKey()];

function cursorsWith(text: string): Cursors {
  const cursorKeys = CursorKeys.parse(text);
  if (!cursorKeys) throw new Error('the keys are not good');
  return new Cursors({ cursorKeys });
}

const cursors = cursorsWith(`k1:${first}`);
const position: ExecutionPosition = {
  workspaceId: 'wsp_1',
  executionId: 'exe_1',
  includeRows: true,
  runId: 'run_1',
  fence: 2,
  version: 3,
  nextRow: 4_000,
};
const invalid = expect.objectContaining({ code: 'input.cursor_invalid' });

describe('a cursor', () => {
  it('is read as it was written', () => {
    expect(cursors.readRow(cursors.row('res_1', 12), 'after', 'res_1')).toBe(12);
    expect(cursors.readExecutionEvent(cursors.executionEvent(position), position)).toEqual(position);
    const behindAll = { xid: '18446744073709551615', sequence: 7 };
    for (const place of [behindAll, { ...behindAll, executionId: 'exe_1' }]) {
      const finished = cursors.finishedEvent('wsp_1', 'usr_1', place);
      expect(cursors.readFinishedEvent(finished, 'wsp_1', 'usr_1')).toEqual(place);
    }
  });

  it('of another result, execution, choice of rows, caller or kind is refused', () => {
    const event = cursors.executionEvent(position);
    expect(() => cursors.readRow(cursors.row('res_1', 12), 'after', 'res_2')).toThrowError(invalid);
    expect(() => cursors.readExecutionEvent(event, { ...position, executionId: 'exe_2' })).toThrowError(invalid);
    expect(() => cursors.readExecutionEvent(event, { ...position, includeRows: false })).toThrowError(invalid);
    expect(() => cursors.readExecutionEvent(event, { ...position, workspaceId: 'wsp_2' })).toThrowError(invalid);
    const finished = cursors.finishedEvent('wsp_1', 'usr_1', { xid: '1', sequence: 7 });
    expect(() => cursors.readFinishedEvent(finished, 'wsp_1', 'usr_2')).toThrowError(invalid);
    expect(() => cursors.readRow(event, 'after', 'res_1')).toThrowError(invalid);
    expect(() => cursors.readExecutionEvent(finished, position)).toThrowError(invalid);
  });

  it('names the argument that it was given in', () => {
    expect(() => cursors.readRow('nonsense', 'rowsAfter', 'res_1')).toThrowError(
      expect.objectContaining({
        path: ['rowsAfter'],
        publicMessage: 'The cursor in rowsAfter was not given for this result.',
      }),
    );
  });

  it('with any character changed is refused, and nothing but that refusal comes of any text', () => {
    const good = cursors.row('res_1', 12);
    for (let at = 0; at < good.length; at++) {
      const bad = `${good.slice(0, at)}${good[at] === 'A' ? 'B' : 'A'}${good.slice(at + 1)}`;
      // The last character of base64 has bits that stand for nothing.
      if (
        Buffer.from(bad.split('.')[1] ?? '', 'base64url').equals(Buffer.from(good.split('.')[1] ?? '', 'base64url'))
      ) {
        if (bad.split('.')[0] === good.split('.')[0]) continue;
      }
      expect(() => cursors.readRow(bad, 'after', 'res_1'), `character ${at}`).toThrowError(invalid);
    }
    fc.assert(
      fc.property(fc.string({ maxLength: 2_000 }), (text) => {
        expect(() => cursors.readRow(text, 'after', 'res_1')).toThrowError(invalid);
      }),
    );
  });

  it('outlives a change of keys as long as its key is kept', () => {
    const old = cursors.row('res_1', 12);
    expect(cursorsWith(`k2:${second},k1:${first}`).readRow(old, 'after', 'res_1')).toBe(12);
    expect(() => cursorsWith(`k2:${second}`).readRow(old, 'after', 'res_1')).toThrowError(invalid);
  });
});

describe('the keys of cursors', () => {
  it('are refused where one is missing, short or malformed', () => {
    for (const text of ['', first, `k1:${first},`, 'k1:c2hvcnQ=', `k1:${first} k2:${second}`, `k 1:${first}`]) {
      expect(CursorKeys.parse(text), text).toBeUndefined();
    }
  });
});
