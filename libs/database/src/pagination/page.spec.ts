import { describe, expect, it } from 'vitest';
import { AppError } from '#libs/kernel';
import { escapeLike, parsePage, toPage } from '../index.js';

const filters = { workspaceId: 'wsp_1', search: 'a', tags: ['x'] };
const rows = ['qry_1', 'qry_2', 'qry_3'];

function cursorOf(id: string): string {
  return toPage([id], parsePage({ first: 1 }, 'savedQueries', filters), (row) => [row]).cursors[0] ?? '';
}

function faultOf(work: () => unknown): { code: string; path: readonly string[] } {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return { code: error.code, path: error.path };
    throw error;
  }
  throw new Error('nothing was refused');
}

const cursorFault = { code: 'input.cursor_invalid', path: ['after'] };

describe('parsePage', () => {
  it.each([undefined, 0, -1, 101, 1.5, NaN])('refuses %s rows, at first', (first) => {
    const args = first === undefined ? undefined : { first };
    expect(faultOf(() => parsePage(args, 'l', {}))).toEqual({ code: 'input.invalid', path: ['first'] });
  });

  it('goes on behind the cursor that the same list with the same filters gave', () => {
    const same = { tags: ['x'], search: 'a', workspaceId: 'wsp_1' };
    const page = parsePage({ first: 2, after: cursorOf('qry_2') }, 'savedQueries', same);
    expect(page).toMatchObject({ first: 2, limit: 3, after: ['qry_2'] });
  });

  it('refuses the cursor of another list, of other filters, of another workspace', () => {
    const after = cursorOf('qry_2');
    const others: [string, typeof filters][] = [
      ['dataSources', filters],
      ['savedQueries', { ...filters, search: 'b' }],
      ['savedQueries', { ...filters, workspaceId: 'wsp_2' }],
    ];
    for (const [list, other] of others) {
      expect(faultOf(() => parsePage({ first: 1, after }, list, other))).toEqual(cursorFault);
    }
  });

  it('refuses a cursor with any character changed, cut off or made up', () => {
    const after = cursorOf('qry_2');
    const wrong = [...after].map((character, index) => {
      const other = character === 'A' ? 'B' : 'A';
      return `${after.slice(0, index)}${other}${after.slice(index + 1)}`;
    });
    for (const text of [...wrong, `${after}=`, `${after} `, '', 'x', after.slice(0, -4), '\0', 'A'.repeat(5_000)]) {
      expect(faultOf(() => parsePage({ first: 1, after: text }, 'savedQueries', filters))).toEqual(cursorFault);
    }
  });

  it('refuses a place that the list is not ordered by, even where the sum is right', () => {
    const after = cursorOf('qry_2');
    const asked = () => parsePage({ first: 1, after }, 'savedQueries', filters, ['string', 'number']);
    expect(faultOf(asked)).toEqual(cursorFault);
    const zero = cursorOf('\0');
    expect(faultOf(() => parsePage({ first: 1, after: zero }, 'savedQueries', filters))).toEqual(cursorFault);
  });
});

describe('toPage', () => {
  it('shows as many rows as were asked for, and tells of one more', () => {
    const page = toPage(rows, parsePage({ first: 2 }, 'l', {}), (row) => [row]);
    expect(page.rows).toEqual(['qry_1', 'qry_2']);
    expect(page.cursors).toHaveLength(2);
    expect(page.pageInfo).toEqual({
      hasNextPage: true,
      hasPreviousPage: false,
      startCursor: page.cursors[0],
      endCursor: page.cursors[1],
    });
  });

  it('goes on behind the last row that was looked at, also where none of them is shown', () => {
    const page = parsePage({ first: 2 }, 'l', {});
    for (const found of [[], ['qry_1']]) {
      const { pageInfo } = toPage(found, page, (row) => [row], ['qry_9']);
      expect(pageInfo.hasNextPage).toBe(true);
      const next = parsePage({ first: 2, ...(pageInfo.endCursor ? { after: pageInfo.endCursor } : {}) }, 'l', {});
      expect(next.after).toEqual(['qry_9']);
    }
  });

  it('has no cursors where there are no rows', () => {
    expect(toPage([], parsePage({ first: 2 }, 'l', {}), () => ['x']).pageInfo).toEqual({
      hasNextPage: false,
      hasPreviousPage: false,
    });
  });
});

it('escapeLike leaves nothing that LIKE would read', () => {
  expect(escapeLike('100%_\\a')).toBe('100\\%\\_\\\\a');
});
