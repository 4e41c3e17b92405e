import { randomUUID } from 'node:crypto';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { airportsFile, flightsFile } from '../../deploy/local/bundled-data.ts';
import { errorFields, executionFields, type Execution, type Failures } from '../support/api-types.js';
import { getExecution, readAllRows, run, runToEnd, sqlInput, tryRun, untilFinal } from '../support/executions.js';
import { newPerson } from '../support/people.js';
import { sharedMesh } from '../support/running-mesh.js';
import { slowQuery, unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

const sources = { flights: '', flights_pg: '' };
beforeAll(async () => {
  sources.flights = (await mesh.source('flights')).id;
  sources.flights_pg = (await mesh.source('flights_pg')).id;
});

// Counts and sums only, so that both sources and a driver of ours must agree to the last digit.
const questions = [
  'select origin, count(*) as n, sum(delay) as delay, min(distance) as nearest from flights group by origin order by n desc, origin limit 20',
  'select a.state as state, count(*) as n from flights f join airports a on a.iata = f.destination where f.delay > 120 group by a.state order by n desc, state limit 60',
  'select count(*) as n from flights',
];

async function askDuckdbDirectly(sql: string): Promise<string[][]> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    await connection.run(`create view flights as from '${flightsFile}'`);
    await connection.run(`create view airports as from '${airportsFile}'`);
    const reader = await connection.runAndReadAll(sql);
    return reader.getRows().map((row) => row.map(String));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

async function askPostgresDirectly(sql: string): Promise<string[][]> {
  const { rows } = await mesh.warehouse.query<unknown[]>({ text: sql, rowMode: 'array' });
  return rows.map((row) => row.map(String));
}

describe('A question of 3,000,000 flights', () => {
  test.each(questions)('%s: the API answers what each source answers by itself', async (sql) => {
    const [duckdb, postgres, directly, directlyPostgres] = await Promise.all([
      runToEnd(mesh.admin, sources.flights, unique(sql)),
      runToEnd(mesh.admin, sources.flights_pg, unique(sql)),
      askDuckdbDirectly(sql),
      askPostgresDirectly(sql),
    ]);
    expect([duckdb.state, duckdb.error, postgres.state, postgres.error]).toEqual([
      'SUCCEEDED',
      null,
      'SUCCEEDED',
      null,
    ]);
    const texts = (rows: unknown[][]): string[][] => rows.map((row) => row.map(String));
    expect(texts(await readAllRows(mesh.admin, duckdb.id))).toEqual(directly);
    expect(texts(await readAllRows(mesh.admin, postgres.id))).toEqual(directlyPostgres);
  });

  test('an execution tells all of its story', async () => {
    const sql = unique('select 1 as one');
    const execution = await runToEnd(mesh.admin, sources.flights_pg, sql, { priority: 'DASHBOARD' });
    expect(execution).toMatchObject({
      state: 'SUCCEEDED',
      sql,
      priority: 'DASHBOARD',
      attempts: 1,
      error: null,
      cache: { status: 'MISS' },
      progress: { rows: 1 },
      result: { state: 'COMPLETE', rowCount: 1, truncated: false, columns: [{ name: 'one', type: 'INTEGER' }] },
    });
    const [submitted, started, finished] = [execution.submittedAt, execution.startedAt, execution.finishedAt].map(
      (at) => Date.parse(at ?? ''),
    );
    expect(submitted).toBeLessThanOrEqual(started ?? 0);
    expect(started).toBeLessThanOrEqual(finished ?? 0);
    expect(execution.submittedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(execution.traceId).toMatch(/^[0-9a-f]{32}$/);
  });

  test('a repeated column name gets _2, _3', async () => {
    const { id, result } = await runToEnd(mesh.admin, sources.flights_pg, unique('select 1 as a, 2 as a, 3 as a'));
    expect(result?.columns.map(({ name }) => name)).toEqual(['a', 'a_2', 'a_3']);
    expect(await readAllRows(mesh.admin, id)).toEqual([[1, 2, 3]]);
  });

  test('an answer without rows has its columns', async () => {
    const { result } = await runToEnd(mesh.admin, sources.flights_pg, unique('select 1 as one where false'));
    expect(result).toMatchObject({ state: 'COMPLETE', rowCount: 0, columns: [{ name: 'one' }] });
  });
});

describe('waitSeconds', () => {
  test('answers with the final state as soon as it is there', async () => {
    const begun = performance.now();
    const execution = await run(mesh.admin, sources.flights_pg, unique('select 1 as one'), { waitSeconds: 30 });
    expect(execution).toMatchObject({ state: 'SUCCEEDED', result: { rowCount: 1 } });
    expect(performance.now() - begun).toBeLessThan(10_000);
  });

  test('answers with the state as it is when the time is up', async () => {
    const execution = await run(mesh.admin, sources.flights_pg, slowQuery(4_000).text, { waitSeconds: 0.3 });
    expect(execution.state).toMatch(/QUEUED|RUNNING/);
    await untilFinal(mesh.admin, execution.id);
  });

  test.each([-1, 1e9])('%d is INVALID_INPUT at its place, or shortened by the server', async (waitSeconds) => {
    const { execution, errors } = await tryRun(
      mesh.admin,
      sqlInput(sources.flights_pg, unique('select 1'), { waitSeconds }),
    );
    expect(execution ? { isShortened: waitSeconds > 0 } : errors[0]).toMatchObject(
      execution ? { isShortened: true } : { code: 'INVALID_INPUT', path: ['waitSeconds'] },
    );
  });
});

describe('runQueries', () => {
  const document = `mutation ($inputs: [RunQueryInput!]!) { runQueries(inputs: $inputs) {
    results { execution { ${executionFields} } ${errorFields} } } }`;
  type Data = { runQueries: { results: ({ execution: Execution | null } & Failures)[] } | null };

  test('answers each by itself and in order: one bad among good ones costs only itself', async () => {
    const inputs = [
      sqlInput(sources.flights, unique('select 1 as n'), { waitSeconds: 20 }),
      sqlInput(sources.flights, 'delete from flights'),
      sqlInput('src_00000000000000000000000000', 'select 1'),
      sqlInput(sources.flights_pg, unique('select 4 as n'), { waitSeconds: 20 }),
    ];
    const { runQueries } = await mesh.admin.request<Data>(document, { inputs });
    expect(
      runQueries?.results.map(({ execution, errors }) => [execution?.state ?? null, errors[0]?.code ?? null]),
    ).toEqual([
      ['SUCCEEDED', null],
      [null, 'SQL_NOT_READ_ONLY'],
      [null, 'NOT_FOUND'],
      ['SUCCEEDED', null],
    ]);
  });

  test('starts them side by side: ten that wait are not ten times as slow', async () => {
    const inputs = Array.from({ length: 10 }, () =>
      sqlInput(sources.flights_pg, unique('select 1 as n'), { waitSeconds: 20 }),
    );
    const { runQueries } = await mesh.admin.request<Data>(document, { inputs });
    expect(runQueries?.results.every(({ execution }) => execution?.state === 'SUCCEEDED')).toBe(true);
  });

  test('51 inputs are INVALID_INPUT', async () => {
    const inputs = Array.from({ length: 51 }, () => sqlInput(sources.flights, 'select 1'));
    const { data, errors } = await mesh.admin.send<Data>(document, { inputs });
    expect(data?.runQueries ?? null).toBeNull();
    expect(errors[0]?.extensions?.code).toBe('INVALID_INPUT');
  });
});

describe('An idempotency key', () => {
  test('gives a second call the first call’s execution, however long each waits', async () => {
    const [text, idempotencyKey] = [unique('select 1 as one'), randomUUID()];
    const first = await run(mesh.admin, sources.flights_pg, text, { idempotencyKey });
    const second = await run(mesh.admin, sources.flights_pg, text, { idempotencyKey, waitSeconds: 20 });
    expect(second.id).toBe(first.id);
  });

  test('gives concurrent calls one execution', async () => {
    const [text, idempotencyKey] = [unique('select 1 as one'), randomUUID()];
    const calls = await Promise.all(
      Array.from({ length: 10 }, () => run(mesh.admin, sources.flights_pg, text, { idempotencyKey })),
    );
    expect(new Set(calls.map(({ id }) => id)).size).toBe(1);
  });

  test('with another input is CONFLICT, with the execution of the first', async () => {
    const idempotencyKey = randomUUID();
    const first = await run(mesh.admin, sources.flights_pg, unique('select 1 as one'), { idempotencyKey });
    const { execution, errors } = await tryRun(
      mesh.admin,
      sqlInput(sources.flights_pg, unique('select 2 as two'), { idempotencyKey }),
    );
    expect(execution?.id).toBe(first.id);
    expect(errors[0]).toMatchObject({ code: 'CONFLICT', path: ['idempotencyKey'] });
  });

  test('belongs to its caller: the same key of another caller is another execution', async () => {
    const [text, idempotencyKey] = [unique('select 1 as one'), randomUUID()];
    const other = await newPerson(mesh.admin, 'analyst');
    const [mine, theirs] = await Promise.all([
      run(mesh.admin, sources.flights_pg, text, { idempotencyKey }),
      run(other.client, sources.flights_pg, text, { idempotencyKey }),
    ]);
    expect(mine.id).not.toBe(theirs.id);
  });
});

describe('Limits', () => {
  test.each(['flights', 'flights_pg'] as const)('%s: a row limit cuts, and says so', async (name) => {
    const execution = await runToEnd(mesh.admin, sources[name], unique('select origin from flights'), {
      limits: { rows: 1_234 },
    });
    expect(execution.result).toMatchObject({ state: 'COMPLETE', rowCount: 1_234, truncated: true });
    expect(await readAllRows(mesh.admin, execution.id)).toHaveLength(1_234);
  });

  test('a limit that is just met cuts nothing', async () => {
    const text = unique('select i from generate_series(1, 100) t(i)');
    const execution = await runToEnd(mesh.admin, sources.flights_pg, text, { limits: { rows: 100 } });
    expect(execution.result).toMatchObject({ rowCount: 100, truncated: false });
  });

  test('a byte limit cuts, and says so', async () => {
    const text = unique('select repeat(md5(i::text), 30) as t from generate_series(1, 20000) s(i)');
    const execution = await runToEnd(mesh.admin, sources.flights_pg, text, { limits: { bytes: 100_000 } });
    expect(execution.result).toMatchObject({ truncated: true });
    expect(execution.result?.rowCount).toBeLessThan(20_000);
    const stored = await getExecution(mesh.admin, execution.id);
    expect(stored.progress.rows).toBe(stored.result?.rowCount);
  });

  test.each([
    ['rows', 0],
    ['rows', -5],
    ['bytes', 0],
    ['timeoutSeconds', 0],
    ['timeoutSeconds', 1_000_000],
  ])('%s: %d is INVALID_INPUT at its place', async (name, value) => {
    const { execution, errors } = await tryRun(
      mesh.admin,
      sqlInput(sources.flights, 'select 1', { limits: { [name]: value } }),
    );
    expect(execution).toBeNull();
    expect(errors[0]).toMatchObject({ code: 'INVALID_INPUT', path: ['limits', name] });
  });
});
