import { readFileSync } from 'node:fs';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { newDataSource, updateDataSource, type DataSource } from '../support/data-sources.js';
import { cancel, run, runToEnd, untilFinal, untilRunning } from '../support/executions.js';
import { fencedBlocks } from '../support/readme-blocks.js';
import { sharedMesh } from '../support/running-mesh.js';
import { endlessQuery, unique } from '../support/slow-queries.js';
import { untilQuiet } from '../support/source-activity.js';
import { subscribe } from '../support/subscription.js';

const mesh = sharedMesh();
afterEach(() => untilQuiet(mesh));
afterAll(() => mesh.close());

const guide = readFileSync('docs/queue.md', 'utf8');
const example = (name: string): string => fencedBlocks(guide, `graphql ${name}`)[0] ?? '';

/** A source at which one statement runs at a time. */
function narrowSource(more: Record<string, unknown> = {}): Promise<DataSource> {
  const options = { ...mesh.access.reader, ssl: { mode: 'disable' } };
  return newDataSource(mesh.admin, 'postgres', options, { maxConcurrentExecutions: 1, ...more });
}

interface Told {
  __typename: string;
  execution: { state: string; queuePosition: number | null; estimatedWaitSeconds: number | null };
}

describe('The place in the queue', () => {
  test('and the wait are pushed to who waits, without a question between', async () => {
    const { id: sourceId } = await narrowSource();
    // What has run tells how long runs take.
    await runToEnd(mesh.admin, sourceId, unique('select 1'));
    const blocker = await run(mesh.admin, sourceId, endlessQuery().text);
    await untilRunning(mesh.admin, blocker.id);
    const ahead = await Promise.all([1, 2, 3].map(() => run(mesh.admin, sourceId, unique('select 1'))));
    const last = await run(mesh.admin, sourceId, unique('select 2'));
    const positions: (number | null)[] = [];
    const waits: (number | null)[] = [];
    const events = subscribe<{ executionEvents: Told }>(mesh.admin.at(mesh.address(1)), example('subscription'), {
      id: last.id,
    });
    for await (const { executionEvents: event } of events) {
      const { queuePosition, estimatedWaitSeconds } = event.execution;
      positions.push(queuePosition);
      waits.push(estimatedWaitSeconds);
      if (event.__typename === 'ExecutionSnapshot') {
        for (const { id } of ahead.slice(0, 2)) await cancel(mesh.admin, id);
      }
      // The end of what runs is told by itself; the place before it only in this way.
      if (event.__typename === 'ExecutionProgressed' && queuePosition === 2) await cancel(mesh.admin, blocker.id);
    }
    expect(positions[0]).toBe(4);
    expect(positions).toContain(2);
    expect(positions.at(-1)).toBeNull();
    expect(waits[0]).toBeGreaterThan(0);
    expect(await untilFinal(mesh.admin, last.id)).toMatchObject({ state: 'SUCCEEDED' });
  });

  test('is read as the guide says', async () => {
    const { id: sourceId } = await narrowSource();
    const blocker = await run(mesh.admin, sourceId, endlessQuery().text);
    await untilRunning(mesh.admin, blocker.id);
    const waiting = await run(mesh.admin, sourceId, unique('select 1'));
    const { execution } = await mesh.admin.request<{ execution: Told['execution'] }>(example('place'), {
      id: waiting.id,
    });
    expect(execution).toMatchObject({ state: 'QUEUED', queuePosition: 1 });
    await cancel(mesh.admin, blocker.id);
    expect((await untilFinal(mesh.admin, waiting.id)).state).toBe('SUCCEEDED');
  });
});

describe('A source’s own limit of time', () => {
  test.each(['postgres', 'duckdb'] as const)(
    '%s: ends what runs longer, and refuses who asks for more',
    async (type) => {
      const options =
        type === 'postgres'
          ? { ...mesh.access.reader, ssl: { mode: 'disable' } }
          : ((await mesh.source('flights')).options ?? {});
      const source = await newDataSource(mesh.admin, type, options);
      const { timeoutSeconds } = await setTimeLimit(source, 1);
      expect(timeoutSeconds).toBe(1);
      const ended = await runToEnd(mesh.admin, source.id, endlessQuery().text);
      expect(ended).toMatchObject({
        state: 'TIMED_OUT',
        error: { code: 'TIMED_OUT', message: 'The query took longer than its limit of 1 s.' },
      });
      const { runQuery } = await mesh.admin.request<{ runQuery: { errors: unknown[] } }>(
        'mutation ($input: RunQueryInput!) { runQuery(input: $input) { errors { code message path } } }',
        { input: { query: { sql: { dataSourceId: source.id, text: 'select 1' } }, limits: { timeoutSeconds: 2 } } },
      );
      expect(runQuery.errors).toEqual([
        {
          code: 'INVALID_INPUT',
          message: 'timeoutSeconds must be from 1 to 1.',
          path: ['limits', 'timeoutSeconds'],
        },
      ]);
    },
  );

  test('is refused where it is none, with its place', async () => {
    const source = await narrowSource();
    const { errors } = await updateDataSource(mesh.admin, {
      id: source.id,
      version: source.version,
      timeoutSeconds: 0,
    });
    expect(errors).toMatchObject([
      { code: 'INVALID_INPUT', message: 'timeoutSeconds must be from 1 to 86400.', path: ['timeoutSeconds'] },
    ]);
  });
});

/** By the mutation that the guide shows. */
async function setTimeLimit(source: DataSource, timeoutSeconds: number): Promise<{ timeoutSeconds: number | null }> {
  const { updateDataSource: payload } = await mesh.admin.request<{
    updateDataSource: { dataSource: { timeoutSeconds: number | null } | null };
  }>(example('time-limit'), { id: source.id, version: source.version, timeoutSeconds });
  if (!payload.dataSource) throw new Error('the limit was not set');
  return payload.dataSource;
}
