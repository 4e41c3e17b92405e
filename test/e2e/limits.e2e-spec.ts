import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApiClient } from '../support/api-client.js';
import type { UserError } from '../support/api-types.js';
import { newDataSource, refreshSchema, updateDataSource, type DataSource } from '../support/data-sources.js';
import { cancel, getExecution, readAllRows, run, runToEnd, sqlInput, tryRun } from '../support/executions.js';
import { newPerson, type Person } from '../support/people.js';
import { fencedBlocks } from '../support/readme-blocks.js';
import { newRowPolicy } from '../support/row-policies.js';
import { sharedMesh } from '../support/running-mesh.js';
import { createSavedQuery } from '../support/saved-queries.js';
import { endlessQuery, unique } from '../support/slow-queries.js';
import { untilBackend, untilNoBackend } from '../support/source-activity.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

const kinds = ['postgres', 'duckdb'] as const;
type Kind = (typeof kinds)[number];

async function newSource(kind: Kind, options: Record<string, unknown> = {}): Promise<DataSource> {
  const flights = await mesh.source('flights');
  const own = kind === 'duckdb' ? (flights.options ?? {}) : { ...mesh.access.reader };
  return newDataSource(mesh.admin, kind, { ...own, ...options });
}

interface Estimate {
  rows: number | null;
  bytes: number | null;
  cost: number | null;
  plan: unknown;
  errors: UserError[];
}

async function estimate(client: ApiClient, query: unknown, limits?: Record<string, number>): Promise<Estimate> {
  const { estimateQuery } = await client.request<{ estimateQuery: Estimate }>(
    `query ($query: QueryInput!, $limits: LimitsInput) { estimateQuery(query: $query, limits: $limits) {
       rows bytes cost plan errors { code message path } } }`,
    { query, limits },
  );
  return estimateQuery;
}

async function resultOf(
  client: ApiClient,
  id: string,
): Promise<{ sampled: boolean; truncated: boolean; rowCount: number }> {
  const { execution } = await client.request<{
    execution: { result: { sampled: boolean; truncated: boolean; rowCount: number } };
  }>('query ($id: ID!) { execution(id: $id) { result { sampled truncated rowCount } } }', { id });
  return execution.result;
}

const sources = {} as Record<Kind, DataSource>;
let analyst: Person;
beforeAll(async () => {
  for (const kind of kinds) sources[kind] = await newSource(kind);
  analyst = await newPerson(mesh.admin, 'analyst');
});

const sql = (dataSourceId: string, text: string, parameters?: object) => ({ sql: { dataSourceId, text, parameters } });

describe.each(kinds)('estimateQuery of a %s source', (kind) => {
  test('tells what the planner says of the query with its parameters, and runs nothing', async () => {
    const { id } = sources[kind];
    const query = sql(id, 'select * from airports where state = {{ state }}', { state: 'TX' });
    const answer = await estimate(analyst.client, query);
    expect(answer.errors).toEqual([]);
    expect(answer.rows).toBeGreaterThan(0);
    expect(answer.plan).not.toBeNull();
    const told = [answer.bytes !== null, answer.cost !== null];
    expect(told).toEqual(kind === 'postgres' ? [true, true] : [false, false]);
    const { executions } = await analyst.client.request<{ executions: { nodes: unknown[] } }>(
      'query ($id: ID!) { executions(first: 1, dataSourceId: $id) { nodes { id } } }',
      { id },
    );
    expect(executions.nodes).toEqual([]);
  });

  test('refuses what a run would refuse, in the same place', async () => {
    const { id } = sources[kind];
    const cases: [unknown, string, string[]][] = [
      [sql(id, 'delete from airports'), 'SQL_NOT_READ_ONLY', ['query', 'sql', 'text']],
      [sql(id, 'select {{ a | int }}'), 'PARAMETER_MISSING', ['query', 'sql', 'parameters', 'a']],
      [sql('src_none', 'select 1'), 'NOT_FOUND', ['query', 'sql', 'dataSourceId']],
      [sql(id, 'select nosuch from airports'), 'QUERY_FAILED', []],
    ];
    for (const [query, code, path] of cases) {
      expect((await estimate(analyst.client, query)).errors).toMatchObject([{ code, path }]);
    }
    const { client } = await newPerson(mesh.admin, 'viewer');
    expect((await estimate(client, sql(id, 'select 1'))).errors).toMatchObject([{ code: 'FORBIDDEN' }]);
    const wrong = await estimate(analyst.client, sql(id, 'select 1'), { rows: 0 });
    expect(wrong.errors).toMatchObject([{ code: 'INVALID_INPUT', path: ['limits', 'rows'] }]);
  });

  test('shows the plan of a saved query to nobody who may not read its text', async () => {
    const { savedQuery } = await createSavedQuery(mesh.admin, {
      name: unique('estimated'),
      dataSourceId: sources[kind].id,
      sql: 'select * from airports',
    });
    const { client } = await newPerson(mesh.admin, 'viewer');
    const answer = await estimate(client, { savedQuery: { id: savedQuery?.id } });
    expect(answer).toMatchObject({ plan: null, errors: [] });
    expect(answer.rows).toBeGreaterThan(0);
  });

  test('tells nothing of a table of which row policies hide rows', async () => {
    const { id } = await newSource(kind);
    await newRowPolicy(mesh.admin, id, 'state = {{ user.state }}', { table: { name: 'airports' } });
    const governed = await estimate(analyst.client, sql(id, "select * from airports where city = 'Nome'"));
    expect(governed).toMatchObject({ rows: null, bytes: null, cost: null, plan: null });
    expect(governed.errors).toMatchObject([{ code: 'FORBIDDEN', path: ['query'] }]);
    expect((await estimate(analyst.client, sql(id, 'select 1 as one'))).errors).toEqual([]);
  });
});

describe.each(kinds)('A ceiling of a %s source', (kind) => {
  const big = 'select count(*) as pairs from airports a cross join airports b';
  let source: DataSource;
  beforeAll(async () => {
    source = await newSource(kind, kind === 'postgres' ? { maxEstimatedCost: 5_000 } : { maxEstimatedRows: 5_000 });
  });

  test('refuses what is estimated above it before it runs, and says how far and what to do', async () => {
    const refused = await runToEnd(analyst.client, source.id, unique(big));
    expect(refused).toMatchObject({ state: 'FAILED', error: { code: 'FORBIDDEN', retryable: false } });
    expect(refused.attempts).toBe(1);
    expect(refused.error?.message).toMatch(/estimates .* [\d,]{6,}.*ceiling of 5,000.*expensive_query\.run/s);
    expect((await runToEnd(analyst.client, source.id, unique('select 1 as one'))).state).toBe('SUCCEEDED');
  });

  test('holds nobody who has the permission, and nobody shares the run of one whom it holds', async () => {
    const editor = await newPerson(mesh.admin, 'editor');
    const text = unique(big);
    expect((await runToEnd(editor.client, source.id, text)).state).toBe('SUCCEEDED');
    expect((await runToEnd(analyst.client, source.id, text)).error).toMatchObject({ code: 'FORBIDDEN' });
    const again = await runToEnd(editor.client, source.id, text);
    expect((await getExecution(editor.client, again.id)).cache.status).toBe('HIT');
  });

  test('tells no estimate where row policies hide rows', async () => {
    await newRowPolicy(mesh.admin, source.id, 'state = {{ user.state }}', { table: { name: 'airports' } });
    const { client } = await newPerson(mesh.admin, 'analyst', { attributes: { state: 'TX' } });
    const refused = await runToEnd(
      client,
      source.id,
      unique('select count(*) from airports a, airports b, airports c, airports d, airports e'),
    );
    expect(refused).toMatchObject({ state: 'FAILED', error: { code: 'FORBIDDEN' } });
    expect(refused.error?.message.match(/[\d,]+/g)?.filter((found) => /\d/.test(found))).toEqual(['5,000']);
  });

  test('is an option like any other: checked, and removed by null', async () => {
    const name = kind === 'postgres' ? 'maxEstimatedCost' : 'maxEstimatedRows';
    const free = await newSource(kind, { [name]: 10 });
    const change = (value: unknown, version: number) =>
      updateDataSource(mesh.admin, { id: free.id, version, options: { [name]: value } });
    expect((await change(0, free.version)).errors).toMatchObject([{ code: 'INVALID_INPUT', path: ['options', name] }]);
    const { dataSource } = await change(null, free.version);
    expect(dataSource?.options).not.toHaveProperty(name);
  });
});

describe.each(kinds)('sampleRows at a %s source', (kind) => {
  test('answers with about so many rows of the table, says so, and never where it was not asked', async () => {
    const { id } = sources[kind];
    if (kind === 'postgres') await mesh.warehouse.query('analyze airports');
    const text = unique('select iata from airports');
    const all = await runToEnd(analyst.client, id, text);
    const sample = await runToEnd(analyst.client, id, text, { limits: { sampleRows: 100 } });
    expect(sample.state).toBe('SUCCEEDED');
    const [whole, part] = [await resultOf(analyst.client, all.id), await resultOf(analyst.client, sample.id)];
    expect([whole.sampled, part.sampled, part.truncated]).toEqual([false, true, false]);
    expect(part.rowCount).toBeGreaterThan(40);
    expect(part.rowCount).toBeLessThan(200);
    expect(whole.rowCount).toBeGreaterThan(1_000);
    expect((await getExecution(analyst.client, sample.id)).sql).toMatch(/tablesample/);
    const again = await runToEnd(analyst.client, id, text, { limits: { sampleRows: 100 } });
    expect((await getExecution(analyst.client, again.id)).cache.status).toBe('HIT');
    expect(await resultOf(analyst.client, again.id)).toEqual(part);
  });

  test('is of the permitted rows, so that it tells not even how many others there are', async () => {
    const { id } = await newSource(kind);
    await newRowPolicy(mesh.admin, id, 'state = {{ user.state }}', { table: { name: 'airports' } });
    const { client } = await newPerson(mesh.admin, 'analyst', { attributes: { state: 'TX' } });
    const sample = await runToEnd(client, id, unique('select iata, state from airports'), {
      limits: { sampleRows: 30 },
    });
    expect([sample.state, sample.error?.message]).toEqual(['SUCCEEDED', undefined]);
    const rows = await readAllRows(client, sample.id);
    expect([rows.length, ...new Set(rows.map(([, state]) => state))]).toEqual([30, 'TX']);
    expect(await resultOf(client, sample.id)).toMatchObject({ sampled: true });
  });

  test('is refused for what does not read one table', async () => {
    const { id } = sources[kind];
    for (const [text, sampleRows] of [
      ['select * from airports a, airports b', 10],
      ['select 1', 10],
      ['select * from airports', -1],
    ] as const) {
      const { errors } = await tryRun(analyst.client, sqlInput(id, text, { limits: { sampleRows } }));
      expect(errors).toMatchObject([{ code: 'INVALID_INPUT', path: ['limits', 'sampleRows'] }]);
    }
  });

  test('of a saved query is taken where it is asked for', async () => {
    const { savedQuery } = await createSavedQuery(mesh.admin, {
      name: unique('sampled'),
      dataSourceId: sources[kind].id,
      sql: 'select iata from airports',
    });
    const query = { savedQuery: { id: savedQuery?.id } };
    for (const [limits, sampled] of [
      [undefined, false],
      [{ sampleRows: 20 }, true],
    ] as const) {
      const { execution } = await tryRun(mesh.admin, { query, limits, waitSeconds: 20 });
      expect(await resultOf(mesh.admin, execution?.id ?? '')).toMatchObject({ sampled });
    }
  });
});

test('sampleRows of a view of PostgreSQL is refused at its place, naming the view', async () => {
  const { warehouse } = mesh;
  await warehouse.query('create or replace view airports_of_limits as select iata from airports');
  await warehouse.query(`grant select on airports_of_limits to "${mesh.access.reader.user}"`);
  try {
    const { id } = await newSource('postgres');
    await refreshSchema(mesh.admin, id);
    const text = unique('select iata from airports_of_limits');
    const { errors } = await tryRun(analyst.client, sqlInput(id, text, { limits: { sampleRows: 10 } }));
    expect(errors).toMatchObject([{ code: 'INVALID_INPUT', path: ['limits', 'sampleRows'] }]);
    expect(errors[0]?.message).toContain('"airports_of_limits"');
  } finally {
    await warehouse.query('drop view airports_of_limits');
  }
});

describe.each(kinds)('A row limit at a %s source', (kind) => {
  test.each([
    ['with c as (select * from airports) select iata from c', true],
    ['-- all\nselect iata from airports', true],
    ['/* limit 3 */ select iata from airports -- limit 3', true],
    ['(select iata from airports)', true],
    ['select iata from airports union all select iata from airports;', true],
    ['select iata from airports order by iata desc ; -- done', true],
    ['select iata from airports limit 99999999', false],
    ['select iata from airports limit all', false],
    ['select iata from airports offset 3', false],
    ['select iata from airports fetch first 100 rows only', false],
  ])('cuts %s and tells so; in its SQL: %s', async (text, isPushed) => {
    const { id, sql: sent } = await runToEnd(analyst.client, sources[kind].id, text, { limits: { rows: 7 } });
    expect(await resultOf(analyst.client, id)).toMatchObject({ rowCount: 7, truncated: true });
    expect(sent?.includes('limit 8')).toBe(isPushed);
  });

  test('that the answer just meets cuts nothing', async () => {
    const text = 'select iata from airports where iata is not null limit 7';
    const inner = `select * from (${text}) as s`;
    for (const each of [text, inner]) {
      const { id } = await runToEnd(analyst.client, sources[kind].id, each, { limits: { rows: 7 } });
      expect(await resultOf(analyst.client, id)).toMatchObject({ rowCount: 7, truncated: false });
    }
  });

  test('of more than 10,000 rows leaves the statement as it was written', async () => {
    const text = unique('select iata from airports');
    const { sql: sent } = await runToEnd(analyst.client, sources[kind].id, text, { limits: { rows: 10_001 } });
    expect(sent).toBe(text);
  });
});

test('PostgreSQL sees whose run it is by the name of its session, and equal plans are equal texts', async () => {
  const { text, mark } = endlessQuery();
  const { id } = await run(analyst.client, sources.postgres.id, text);
  await untilBackend(mesh, mark);
  const { rows } = await mesh.warehouse.query<{ application_name: string; query: string }>(
    `select application_name, query from pg_stat_activity
     where position($1 in query) > 0 and pid <> pg_backend_pid() and backend_type = 'client backend'`,
    [mark],
  );
  const { rows: runs } = await mesh.sluice.query<{ run_id: string }>(
    'select run_id from orchestrator.execution where id = $1',
    [id],
  );
  expect(rows).toEqual([
    { application_name: `sluice ${runs[0]?.run_id} ${analyst.user.id}`.slice(0, 63), query: text },
  ]);
  await cancel(analyst.client, id);
  await untilNoBackend(mesh, mark);
});

test.each(['estimate', 'sample'])('the guide’s %s can be asked as it stands', async (name) => {
  const guide = readFileSync('docs/limits.md', 'utf8');
  const [document = ''] = fencedBlocks(guide, `graphql ${name}`);
  const [variables = ''] = fencedBlocks(guide, `json ${name}`);
  const answer = await mesh.admin.request<Record<string, { errors: UserError[] }>>(
    document,
    JSON.parse(variables.replace('src_…', sources.postgres.id)),
  );
  expect(Object.values(answer)).toMatchObject([{ errors: [] }]);
});
