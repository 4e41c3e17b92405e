import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Execution } from '../support/api-types.js';
import {
  cancel,
  readAllRows,
  readPage,
  run,
  runToEnd,
  sendRows,
  untilRunning,
  untilState,
  type RowsArgs,
} from '../support/executions.js';
import { wrongRows } from '../support/history.js';
import { sharedMesh } from '../support/running-mesh.js';
import { manyRowsQuery, slowRowsQuery, unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');
const count = 25_000;
let large: Execution;
let small: Execution;
let sourceId = '';

beforeAll(async () => {
  sourceId = (await mesh.source('flights_pg')).id;
  large = await runToEnd(mesh.admin, sourceId, manyRowsQuery(count).text);
  small = await runToEnd(
    mesh.admin,
    sourceId,
    unique('select i, i * 2 as double, i * 3 as triple from generate_series(1, 10) t(i)'),
  );
});

describe('The rows of a result', () => {
  test.each([999, 10_000])('come by cursor in pages of %i: all, in order, each once', async (first) => {
    const rows = await readAllRows(mesh.admin, large.id, first);
    expect(rows).toHaveLength(count);
    expect(wrongRows(rows, md5)).toEqual([]);
  });

  test('come by offset from anywhere, the last page short and the one behind it empty', async () => {
    for (const offset of [0, 1, 9_999, 12_345, count - 1]) {
      const page = await readPage(mesh.admin, large.id, { first: 3, offset });
      expect(page.offset).toBe(offset);
      expect(page.rows.map(([number]) => Number(number))).toEqual(
        [1, 2, 3].map((n) => n + offset).filter((n) => n <= count),
      );
      expect(page.hasNextPage).toBe(offset + 3 < count);
    }
    const behind = await readPage(mesh.admin, large.id, { first: 10, offset: count });
    expect(behind).toMatchObject({ rows: [], hasNextPage: false });
  });

  test('the cursor of an empty page is the place that was asked for', async () => {
    const { endCursor } = await readPage(mesh.admin, small.id, { first: 10 });
    const behind = await readPage(mesh.admin, small.id, { first: 10, after: endCursor });
    expect(behind).toMatchObject({ offset: 10, rows: [], hasNextPage: false });
    expect((await readPage(mesh.admin, small.id, { first: 10, after: behind.endCursor })).offset).toBe(10);
  });

  test('have the columns that are asked for, in that order, and a cursor is good for any choice', async () => {
    const page = await readPage(mesh.admin, small.id, { first: 2, columns: ['triple', 'i'] });
    expect(page.rows).toEqual([
      [3, 1],
      [6, 2],
    ]);
    const next = await readPage(mesh.admin, small.id, { first: 1, after: page.endCursor, columns: ['double'] });
    expect(next).toMatchObject({ offset: 2, rows: [[6]] });
  });

  test('are the same on every gateway, and a cursor of one is good on the other', async () => {
    const page = await readPage(mesh.admin, large.id, { first: 100 });
    const other = mesh.admin.at(mesh.address(1));
    const next = await readPage(other, large.id, { first: 1, after: page.endCursor });
    expect(next).toMatchObject({ offset: 100, rows: [[101, md5('101')]] });
  });

  const codeOf = async (id: string, args: RowsArgs): Promise<string | undefined> =>
    (await sendRows(mesh.admin, id, args)).errors[0]?.extensions?.code;

  test('a cursor of another result, or made up, is INVALID_INPUT', async () => {
    const { endCursor } = await readPage(mesh.admin, small.id, { first: 1 });
    expect(await codeOf(large.id, { first: 1, after: endCursor })).toBe('INVALID_INPUT');
    expect(await codeOf(large.id, { first: 1, after: 'made-up' })).toBe('INVALID_INPUT');
  });

  test('a cursor of another execution of the same run is INVALID_INPUT: cursors belong to the execution', async () => {
    const text = unique('select i from generate_series(1, 300000) t(i) where i > 0');
    const [one, two] = await Promise.all([run(mesh.admin, sourceId, text), run(mesh.admin, sourceId, text)]);
    await Promise.all([one, two].map(({ id }) => untilState(mesh.admin, id, ({ state }) => state === 'SUCCEEDED')));
    const { endCursor } = await readPage(mesh.admin, one.id, { first: 1 });
    expect(await codeOf(two.id, { first: 1, after: endCursor })).toBe('INVALID_INPUT');
  });

  test.each<[string, RowsArgs]>([
    ['first: 0', { first: 0 }],
    ['first: 10001', { first: 10_001 }],
    ['a negative offset', { first: 1, offset: -1 }],
    ['an unknown column', { first: 1, columns: ['no_such_column'] }],
  ])('%s is INVALID_INPUT', async (_, args) => {
    expect(await codeOf(small.id, args)).toBe('INVALID_INPUT');
  });

  test('after and offset together are INVALID_INPUT', async () => {
    const { endCursor } = await readPage(mesh.admin, small.id, { first: 1 });
    expect(await codeOf(small.id, { first: 1, after: endCursor, offset: 1 })).toBe('INVALID_INPUT');
  });
});

describe('Rows of a query that still runs', () => {
  test('can be read, stay as they were, and are kept as PARTIAL when it is canceled', async () => {
    const { id } = await run(mesh.admin, sourceId, slowRowsQuery(1_000_000).text);
    await untilRunning(mesh.admin, id);
    await untilState(mesh.admin, id, ({ result }) => (result?.rowCount ?? 0) > 0);
    const early = await readPage(mesh.admin, id, { first: 100, offset: 0 });
    expect(early.rows.length).toBeGreaterThan(0);
    expect(early.hasNextPage).toBe(true);
    await cancel(mesh.admin, id);
    const ended = await untilState(mesh.admin, id, ({ state }) => state === 'CANCELED');
    expect(ended.result?.state).toBe('PARTIAL');
    const late = await readPage(mesh.admin, id, { first: early.rows.length, offset: 0 });
    expect(late.rows).toEqual(early.rows);
    const all = await readAllRows(mesh.admin, id);
    expect(all).toHaveLength(ended.result?.rowCount ?? -1);
    expect(wrongRows(all, md5)).toEqual([]);
  });
});
