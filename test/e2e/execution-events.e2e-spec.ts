import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ExecutionEvent } from '../support/api-types.js';
import { collect, executionEvents } from '../support/execution-events.js';
import { ExecutionRecorder } from '../support/execution-recorder.js';
import { cancel, readPage, run, runToEnd, untilRunning } from '../support/executions.js';
import { checkHistory, wrongRows } from '../support/history.js';
import { newPerson } from '../support/people.js';
import { sharedMesh } from '../support/running-mesh.js';
import { endlessQuery, manyRowsQuery, slowRowsQuery, unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');
let sourceId = '';
let duckdbId = '';
beforeAll(async () => {
  sourceId = (await mesh.source('flights_pg')).id;
  duckdbId = (await mesh.source('flights')).id;
});

const names = (events: ExecutionEvent[]): string[] => events.map((event) => event.__typename);
const rowsOf = (events: ExecutionEvent[]): unknown[][] => events.flatMap((event) => event.page?.rows ?? []);

describe('executionEvents', () => {
  test('tells a snapshot first, then each change, the final state last, and completes', async () => {
    const { id } = await run(mesh.admin, sourceId, slowRowsQuery(50).text);
    const events = await collect(executionEvents(mesh.admin, { id }));
    expect(names(events)[0]).toBe('ExecutionSnapshot');
    expect(events.at(-1)).toMatchObject({ __typename: 'ExecutionStateChanged', state: 'SUCCEEDED' });
    expect(rowsOf(events)).toEqual([]);
    const versions = events.flatMap((event) => event.version ?? []);
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
  });

  test.each([10, 30_000])('tells all %i rows in order, each once, before the final state', async (count) => {
    const { id } = await run(mesh.admin, sourceId, manyRowsQuery(count).text);
    const { history } = await recorded(id);
    const verdict = checkHistory(history);
    expect(verdict.faults).toEqual([]);
    expect(verdict.finalState).toBe('SUCCEEDED');
    expect(verdict.rows).toHaveLength(count);
    expect(wrongRows(verdict.rows, md5)).toEqual([]);
  });

  test('tells rows while the query runs, not at its end', async () => {
    const { id } = await run(mesh.admin, sourceId, slowRowsQuery(1_000_000).text);
    for await (const event of executionEvents(mesh.admin, { id, includeRows: true })) {
      if (event.page && event.page.rows.length > 0) break;
    }
    const { execution } = await cancel(mesh.admin, id);
    expect(execution?.state).toMatch(/CANCEL/);
  });

  test('tells one who subscribes later the snapshot, all rows and the final state', async () => {
    const { id } = await runToEnd(mesh.admin, duckdbId, unique('select i from generate_series(1, 5) t(i)'));
    const events = await collect(executionEvents(mesh.admin, { id, includeRows: true }));
    expect(names(events)).toEqual(['ExecutionSnapshot', 'RowsAppended', 'ExecutionStateChanged']);
    expect(rowsOf(events).flat().map(Number)).toEqual([1, 2, 3, 4, 5]);
    expect(events[0]?.execution?.state).toBe('SUCCEEDED');
  });

  test('goes on from any cursor, on another gateway: what lies behind it, no more and no less', async () => {
    const { id } = await run(mesh.admin, sourceId, manyRowsQuery(20_000).text);
    const whole = await collect(executionEvents(mesh.admin, { id, includeRows: true }));
    const other = mesh.admin.at(mesh.address(1));
    for (const [index, { cursor }] of whole.slice(0, -1).entries()) {
      const rest = await collect(executionEvents(other, { id, includeRows: true, after: cursor }));
      expect(names(rest)[0]).toBe('ExecutionSnapshot');
      expect(rowsOf(rest)).toHaveLength(rowsOf(whole.slice(index + 1)).length);
      expect(rest.at(-1)).toMatchObject({ state: 'SUCCEEDED' });
    }
  });

  test('a subscriber who leaves after every second event and resumes elsewhere loses nothing and hears nothing twice', async () => {
    const { id } = await run(mesh.admin, sourceId, slowRowsQuery(60_000, 100).text);
    const recorder = new ExecutionRecorder({ client: mesh.admin, id, gateways: mesh.access.gateways, leavesAfter: 2 });
    const history = await recorder.whenComplete();
    expect(history.sittings.length).toBeGreaterThan(2);
    const verdict = checkHistory(history);
    expect(verdict.faults).toEqual([]);
    expect(verdict.rows).toHaveLength(60_000);
    expect(wrongRows(verdict.rows, md5)).toEqual([]);
  });

  test('starts behind rowsAfter where that is given, and resumed behind the cursor', async () => {
    const { id } = await runToEnd(mesh.admin, sourceId, unique('select i from generate_series(1, 10) t(i)'));
    const { endCursor } = await readPage(mesh.admin, id, { first: 7 });
    const events = await collect(executionEvents(mesh.admin, { id, includeRows: true, rowsAfter: endCursor }));
    expect(rowsOf(events)).toEqual([[8], [9], [10]]);
    const after = events.find(({ __typename }) => __typename === 'RowsAppended')?.cursor;
    const resumed = await collect(executionEvents(mesh.admin, { id, includeRows: true, rowsAfter: endCursor, after }));
    expect(rowsOf(resumed)).toEqual([]);
    expect(resumed.at(-1)).toMatchObject({ __typename: 'ExecutionStateChanged', state: 'SUCCEEDED' });
  });

  test('has the columns that are asked for, in that order', async () => {
    const { id } = await run(mesh.admin, sourceId, unique('select 1 as a, 2 as b, 3 as c'));
    const events = await collect(executionEvents(mesh.admin, { id, includeRows: true, columns: ['c', 'a'] }));
    expect(rowsOf(events)).toEqual([[3, 1]]);
  });

  test('tells a cancel: CANCELED is the final state, whoever canceled', async () => {
    const { id } = await run(mesh.admin, sourceId, endlessQuery().text);
    await untilRunning(mesh.admin, id);
    const events = collect(executionEvents(mesh.admin, { id }));
    await cancel(mesh.admin.at(mesh.address(1)), id);
    expect((await events).at(-1)).toMatchObject({ __typename: 'ExecutionStateChanged', state: 'CANCELED' });
  });

  test('tells a failure with the source’s own words and code', async () => {
    const { id } = await run(mesh.admin, sourceId, unique('select 1 / (i - 3) as n from generate_series(1, 5) t(i)'));
    const events = await collect(executionEvents(mesh.admin, { id, includeRows: true }));
    expect(events.at(-1)).toMatchObject({ state: 'FAILED' });
    const { execution } = await mesh.admin.request<{ execution: { error: unknown } }>(
      'query ($id: ID!) { execution(id: $id) { error { code message sourceCode retryable } } }',
      { id },
    );
    expect(execution.error).toMatchObject({ code: 'QUERY_FAILED', sourceCode: '22012', retryable: false });
  });
});

describe('What cannot be subscribed to', () => {
  const refusal = async (events: AsyncIterable<ExecutionEvent>): Promise<string> =>
    collect(events).then(
      (told) => `told ${JSON.stringify(told)}`,
      (error: unknown) => String(error),
    );

  test('an execution that does not exist, or is another’s, is NOT_FOUND', async () => {
    const person = await newPerson(mesh.admin, 'analyst');
    const { id } = await runToEnd(mesh.admin, sourceId, unique('select 1'));
    expect(await refusal(executionEvents(person.client, { id }))).toContain('NOT_FOUND');
    expect(await refusal(executionEvents(person.client, { id: 'exe_00000000000000000000000000' }))).toContain(
      'NOT_FOUND',
    );
  });

  test('a cursor of another execution, of another includeRows, or made up is INVALID_INPUT', async () => {
    const [one, two] = await Promise.all([
      runToEnd(mesh.admin, sourceId, unique('select 1')),
      runToEnd(mesh.admin, sourceId, unique('select 2')),
    ]);
    const [snapshot] = await collect(executionEvents(mesh.admin, { id: one.id, includeRows: true }));
    const after = snapshot?.cursor ?? '';
    expect(await refusal(executionEvents(mesh.admin, { id: two.id, includeRows: true, after }))).toContain(
      'INVALID_INPUT',
    );
    expect(await refusal(executionEvents(mesh.admin, { id: one.id, includeRows: false, after }))).toContain(
      'INVALID_INPUT',
    );
    expect(await refusal(executionEvents(mesh.admin, { id: one.id, after: 'made-up' }))).toContain('INVALID_INPUT');
  });
});

async function recorded(id: string): Promise<ExecutionRecorder> {
  const recorder = new ExecutionRecorder({ client: mesh.admin, id, gateways: mesh.access.gateways });
  await recorder.whenComplete();
  return recorder;
}
