import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newId } from '#libs/kernel';
import { objectKey, type PagePlace } from './page-place.js';

const runId = newId('run');
const place: PagePlace = { workspaceId: newId('workspace'), runId, fence: 1, page: 0 };

describe('the key of a page', () => {
  it('is made of ids and whole numbers only, whatever comes', () => {
    const anything = fc.oneof(
      fc.string(),
      fc.constantFrom('..', '../..', '/etc', `${runId}/..`, `${runId}\0`, `${runId}\n`, ''),
    );
    fc.assert(
      fc.property(anything, (text) => {
        expect(() => objectKey({ ...place, runId: text })).toThrowError();
        expect(() => objectKey({ ...place, workspaceId: text })).toThrowError();
      }),
    );
    for (const number of [-1, 0.5, Number.NaN, Infinity, 2 ** 53]) {
      expect(() => objectKey({ ...place, page: number })).toThrowError();
      expect(() => objectKey({ ...place, fence: number })).toThrowError();
    }
  });
});
