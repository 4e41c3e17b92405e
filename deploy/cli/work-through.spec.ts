import { afterEach, expect, it, vi } from 'vitest';
import { workThrough } from './work-through.ts';

afterEach(() => void vi.restoreAllMocks());

it('says how far it is when that has changed, and not of a piece with nothing in it', async () => {
  const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  const piece = (seen: number, next?: string) => ({
    seen,
    resealed: seen,
    unreadable: 0,
    total: 3,
    ...(next && { next }),
  });
  const pieces = [piece(0, 'a'), piece(0, 'b'), piece(2, 'c'), piece(0, 'd'), piece(1)];
  const tally = await workThrough('auth', async () => ({ progress: pieces.shift() }));
  expect(tally).toEqual({ total: 3, resealed: 3, unreadable: 0 });
  expect(said.mock.calls).toEqual([['auth: 0 of 3'], ['auth: 2 of 3'], ['auth: 3 of 3']]);
});
