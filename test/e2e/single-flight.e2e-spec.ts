import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { collect, executionEvents } from '../support/execution-events.js';
import { cancel, getExecution, readAllRows, run, untilFinal, untilRunning } from '../support/executions.js';
import { newPerson } from '../support/people.js';
import { sharedMesh } from '../support/running-mesh.js';
import { endlessQuery, slowQuery } from '../support/slow-queries.js';
import { backendsWith, untilBackend, untilNoBackend } from '../support/source-activity.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

let sourceId = '';
beforeAll(async () => {
  sourceId = (await mesh.source('flights_pg')).id;
});

async function runsOf(mark: string): Promise<number> {
  const { rows } = await mesh.sluice.query<{ count: number }>(
    'select count(*)::int as count from orchestrator.run where position($1 in sql) > 0',
    [mark],
  );
  return rows[0]?.count ?? 0;
}

describe('Single flight', () => {
  test('100 equal questions of several callers at two gateways are one run at the source and 100 answers', async () => {
    const people = await Promise.all([1, 2, 3, 4].map(() => newPerson(mesh.admin, 'analyst')));
    const { text, mark } = slowQuery(2_500);
    const executions = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const person = people[index % people.length];
        if (!person) throw new Error('nobody');
        const client = person.client.at(mesh.address(index % 2));
        return { client, execution: await run(client, sourceId, text) };
      }),
    );
    await untilBackend(mesh, mark);
    expect(await backendsWith(mesh, mark)).toBe(1);
    const ended = await Promise.all(executions.map(({ client, execution }) => untilFinal(client, execution.id)));
    expect(ended.every(({ state }) => state === 'SUCCEEDED')).toBe(true);
    expect(await runsOf(mark)).toBe(1);
    const statuses = ended.map(({ cache }) => cache.status);
    expect(statuses.filter((status) => status === 'MISS')).toHaveLength(1);
    expect(statuses.filter((status) => status === 'SHARED')).toHaveLength(99);
    expect(new Set(ended.map(({ id }) => id)).size).toBe(100);
    expect(new Set(ended.map(({ result }) => result?.id)).size).toBe(100);
    const rows = await Promise.all(
      executions.slice(0, 5).map(({ client, execution }) => readAllRows(client, execution.id)),
    );
    expect(new Set(rows.map((answer) => JSON.stringify(answer))).size).toBe(1);
  });

  test('one caller’s cancel is that caller’s alone: the others get their answer', async () => {
    const { text, mark } = slowQuery(2_500);
    const [one, two, three] = await Promise.all([1, 2, 3].map(() => run(mesh.admin, sourceId, text)));
    if (!one || !two || !three) throw new Error('three were asked');
    await untilBackend(mesh, mark);
    const watching = collect(executionEvents(mesh.admin, { id: one.id }));
    expect((await cancel(mesh.admin, one.id)).execution?.state).toBe('CANCELED');
    expect((await watching).at(-1)).toMatchObject({ state: 'CANCELED' });
    for (const { id } of [two, three]) expect((await untilFinal(mesh.admin, id)).state).toBe('SUCCEEDED');
    expect((await getExecution(mesh.admin, one.id)).state).toBe('CANCELED');
  });

  test('the cancel of the last one ends the run at the source', async () => {
    const { text, mark } = endlessQuery();
    const begun = await Promise.all([1, 2, 3].map(() => run(mesh.admin, sourceId, text)));
    await untilBackend(mesh, mark);
    for (const { id } of begun.slice(1)) await cancel(mesh.admin, id);
    expect(await backendsWith(mesh, mark)).toBe(1);
    await cancel(mesh.admin, begun[0]?.id ?? '');
    await untilNoBackend(mesh, mark, 2_000);
    for (const { id } of begun) expect((await untilFinal(mesh.admin, id)).state).toBe('CANCELED');
  });

  test('a question with other limits is another question', async () => {
    const { text, mark } = slowQuery(1_000);
    const [one, two] = await Promise.all([
      run(mesh.admin, sourceId, text, { limits: { rows: 5 } }),
      run(mesh.admin, sourceId, text, { limits: { rows: 6 } }),
    ]);
    await Promise.all([one, two].map(({ id }) => untilFinal(mesh.admin, id)));
    expect(await runsOf(mark)).toBe(2);
  });

  test('a question behind the end of an equal one is answered by its result, or runs again where none is wanted', async () => {
    const { text, mark } = slowQuery(10);
    for (const [maxAgeSeconds, status] of [
      [undefined, 'MISS'],
      [undefined, 'HIT'],
      [0, 'BYPASS'],
    ] as const) {
      const { id } = await run(
        mesh.admin,
        sourceId,
        text,
        maxAgeSeconds === undefined ? {} : { cache: { maxAgeSeconds } },
      );
      expect(await untilFinal(mesh.admin, id)).toMatchObject({ state: 'SUCCEEDED', cache: { status } });
    }
    expect(await runsOf(mark)).toBe(2);
  });

  test('a question that joins a run which is being canceled begins anew', async () => {
    const { text } = endlessQuery();
    const first = await run(mesh.admin, sourceId, text);
    await untilRunning(mesh.admin, first.id);
    const [, second] = await Promise.all([cancel(mesh.admin, first.id), run(mesh.admin, sourceId, text)]);
    expect((await untilFinal(mesh.admin, first.id)).state).toBe('CANCELED');
    const running = await untilRunning(mesh.admin, second.id);
    expect(running.state).toBe('RUNNING');
    await cancel(mesh.admin, second.id);
    expect((await untilFinal(mesh.admin, second.id)).state).toBe('CANCELED');
  });
});
