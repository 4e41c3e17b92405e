import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isFinal } from '../support/api-types.js';
import { newDataSource } from '../support/data-sources.js';
import { cancel, getExecution, run, runToEnd, untilFinal, untilRunning } from '../support/executions.js';
import { sharedMesh } from '../support/running-mesh.js';
import { endlessQuery, unique } from '../support/slow-queries.js';
import { untilBackend, untilNoBackend, untilQuiet } from '../support/source-activity.js';

const mesh = sharedMesh();
afterAll(async () => {
  await untilQuiet(mesh);
  await mesh.close();
});

let postgresId = '';
let duckdbId = '';
beforeAll(async () => {
  postgresId = (await mesh.source('flights_pg')).id;
  duckdbId = (await mesh.source('flights')).id;
});

describe('Cancelling', () => {
  test('a running query ends it at the source within 2 s, and the execution is CANCELED', async () => {
    const { text, mark } = endlessQuery();
    const { id } = await run(mesh.admin, postgresId, text);
    await untilRunning(mesh.admin, id);
    await untilBackend(mesh, mark);
    const { execution, errors } = await cancel(mesh.admin, id);
    expect(errors).toEqual([]);
    expect(execution?.state).toMatch(/CANCELING|CANCELED/);
    await untilNoBackend(mesh, mark, 2_000);
    const ended = await untilFinal(mesh.admin, id);
    expect(ended).toMatchObject({ state: 'CANCELED', error: null });
    expect(ended.finishedAt).not.toBeNull();
  });

  test('a running query of DuckDB ends it too', async () => {
    const { id } = await run(mesh.admin, duckdbId, endlessQuery().text);
    await untilRunning(mesh.admin, id);
    await cancel(mesh.admin, id);
    expect((await untilFinal(mesh.admin, id, 5_000)).state).toBe('CANCELED');
    expect((await runToEnd(mesh.admin, duckdbId, unique('select 1'))).state).toBe('SUCCEEDED');
  });

  test('a waiting query ends at once and never reaches the source', async () => {
    const { id: source } = await newDataSource(
      mesh.admin,
      'postgres',
      { ...mesh.access.reader, ssl: { mode: 'disable' } },
      { maxConcurrentExecutions: 1 },
    );
    const [blocking, waiting] = [endlessQuery(), endlessQuery()];
    const blocker = await run(mesh.admin, source, blocking.text);
    await untilBackend(mesh, blocking.mark);
    const queued = await run(mesh.admin, source, waiting.text);
    const { execution } = await cancel(mesh.admin, queued.id);
    expect(execution).toMatchObject({ state: 'CANCELED', startedAt: null });
    await cancel(mesh.admin, blocker.id);
    await untilFinal(mesh.admin, blocker.id);
    await untilNoBackend(mesh, waiting.mark);
    expect((await getExecution(mesh.admin, queued.id)).state).toBe('CANCELED');
  });

  test('an execution that is final answers with it as it is, and no error', async () => {
    const { id, version } = await runToEnd(mesh.admin, postgresId, unique('select 1'));
    const { execution, errors } = await cancel(mesh.admin, id);
    expect(errors).toEqual([]);
    expect(execution).toMatchObject({ id, state: 'SUCCEEDED', version });
  });

  test('twice at once is the same as once', async () => {
    const { text, mark } = endlessQuery();
    const { id } = await run(mesh.admin, postgresId, text);
    await untilBackend(mesh, mark);
    const answers = await Promise.all([cancel(mesh.admin, id), cancel(mesh.admin.at(mesh.address(1)), id)]);
    expect(answers.flatMap(({ errors }) => errors)).toEqual([]);
    expect((await untilFinal(mesh.admin, id)).state).toBe('CANCELED');
  });

  test('at any moment gives one final state that stays, and CANCELING never becomes SUCCEEDED', async () => {
    const begun = await Promise.all(
      Array.from({ length: 20 }, () =>
        run(mesh.admin, postgresId, unique('select count(*) from generate_series(1, 300000)')),
      ),
    );
    const canceled = await Promise.all(begun.map(({ id }) => cancel(mesh.admin, id)));
    const ended = await Promise.all(begun.map(({ id }) => untilFinal(mesh.admin, id)));
    const changes = canceled.map(({ execution }, index) => [execution?.state, ended[index]?.state]);
    expect(changes.filter(([told, final]) => told === 'CANCELING' && final === 'SUCCEEDED')).toEqual([]);
    expect(changes.filter(([told, final]) => told !== undefined && isFinal(told) && told !== final)).toEqual([]);
  });

  test('what does not exist is NOT_FOUND', async () => {
    const { execution, errors } = await cancel(mesh.admin, 'exe_00000000000000000000000000');
    expect(execution).toBeNull();
    expect(errors[0]).toMatchObject({ code: 'NOT_FOUND', path: ['id'] });
  });
});

describe('A time limit', () => {
  test.each(['flights_pg', 'flights'] as const)(
    '%s: ends the query as TIMED_OUT, with an error that says so',
    async (name) => {
      const { text, mark } = endlessQuery();
      const { id } = await mesh.source(name);
      const execution = await runToEnd(mesh.admin, id, text, { limits: { timeoutSeconds: 1 } });
      expect(execution).toMatchObject({ state: 'TIMED_OUT', error: { code: 'TIMED_OUT' } });
      const tookMs = Date.parse(execution.finishedAt ?? '') - Date.parse(execution.startedAt ?? '');
      expect(tookMs).toBeGreaterThan(900);
      expect(tookMs).toBeLessThan(6_000);
      await untilNoBackend(mesh, mark, 2_000);
    },
  );
});
