import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApiClient } from '../support/api-client.js';
import type { UserError } from '../support/api-types.js';
import { collect, executionEvents } from '../support/execution-events.js';
import { readAllRows, runToEnd, sqlInput, tryRun } from '../support/executions.js';
import { newPerson } from '../support/people.js';
import { runProgram } from '../support/programs.js';
import { fencedBlocks } from '../support/readme-blocks.js';
import { sharedMesh } from '../support/running-mesh.js';
import { createSavedQuery } from '../support/saved-queries.js';
import { unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

const sources: Record<'flights' | 'flights_pg', string> = { flights: '', flights_pg: '' };
beforeAll(async () => {
  for (const name of ['flights', 'flights_pg'] as const) sources[name] = (await mesh.source(name)).id;
});

interface CacheInfo {
  status: string;
  ageSeconds: number | null;
  expiresAt: string | null;
}

async function cacheOf(client: ApiClient, id: string): Promise<CacheInfo> {
  const data = await client.request<{ execution: { cache: CacheInfo } | null }>(
    'query ($id: ID!) { execution(id: $id) { cache { status ageSeconds expiresAt } } }',
    { id },
  );
  if (!data.execution) throw new Error(`${id} is not there`);
  return data.execution.cache;
}

async function invalidate(
  client: ApiClient,
  input: Record<string, unknown>,
): Promise<{ invalidatedCount: number | null; errors: UserError[] }> {
  const data = await client.request<{
    invalidateCache: { invalidatedCount: number | null; errors: UserError[] };
  }>(
    'mutation ($input: InvalidateCacheInput!) { invalidateCache(input: $input) { invalidatedCount errors { code message path } } }',
    { input },
  );
  return data.invalidateCache;
}

const statusOf = async (client: ApiClient, id: string): Promise<string> => (await cacheOf(client, id)).status;

describe.each(['flights', 'flights_pg'] as const)('A kept result of %s', (name) => {
  test('answers whoever asks the same, at once, with the same rows', async () => {
    const text = unique('select iata, name from airports order by iata limit 3');
    const first = await runToEnd(mesh.admin, sources[name], text);
    expect(await cacheOf(mesh.admin, first.id)).toMatchObject({ status: 'MISS', ageSeconds: null });
    const { client } = await newPerson(mesh.admin, 'analyst');
    const { execution } = await tryRun(client, sqlInput(sources[name], text));
    expect(execution).toMatchObject({ state: 'SUCCEEDED', version: 1 });
    const hit = execution?.id ?? '';
    const { status, ageSeconds, expiresAt } = await cacheOf(client, hit);
    expect([status, typeof ageSeconds]).toEqual(['HIT', 'number']);
    expect(Date.parse(expiresAt ?? '')).toBeGreaterThan(Date.now());
    expect(await readAllRows(client, hit)).toEqual(await readAllRows(mesh.admin, first.id));
  });

  test('is told to who subscribes as any other: the snapshot, then the rows, then the end', async () => {
    const text = unique('select 1 as one');
    await runToEnd(mesh.admin, sources[name], text);
    const { execution } = await tryRun(mesh.admin, sqlInput(sources[name], text));
    const events = await collect(executionEvents(mesh.admin, { id: execution?.id ?? '', includeRows: true }));
    expect(events.map(({ __typename }) => __typename)).toEqual([
      'ExecutionSnapshot',
      'RowsAppended',
      'ExecutionStateChanged',
    ]);
  });
});

describe('CacheInput', () => {
  const ask = async (text: string, cache: Record<string, number>): Promise<string> =>
    statusOf(mesh.admin, (await runToEnd(mesh.admin, sources.flights_pg, text, { cache })).id);

  test('maxAgeSeconds 0 runs afresh, and what ran so may answer others', async () => {
    const text = unique('select 1 as one');
    expect(await ask(text, { maxAgeSeconds: 0 })).toBe('BYPASS');
    expect(await ask(text, { maxAgeSeconds: 0 })).toBe('BYPASS');
    expect(await ask(text, { maxAgeSeconds: 60 })).toBe('HIT');
  });

  test.each([
    ['maxAgeSeconds', { maxAgeSeconds: -1 }],
    ['staleWhileRevalidateSeconds', { staleWhileRevalidateSeconds: -5 }],
    ['maxAgeSeconds', { maxAgeSeconds: 10_000_000 }],
  ])('%s out of bounds is INVALID_INPUT at its place: %o', async (name, cache) => {
    const { execution, errors } = await tryRun(
      mesh.admin,
      sqlInput(sources.flights_pg, unique('select 1 as one'), { cache }),
    );
    expect(execution).toBeNull();
    expect(errors[0]).toMatchObject({ code: 'INVALID_INPUT', path: ['cache', name] });
  });
});

describe('A saved query', () => {
  test('with a TTL of 0 is never answered from the cache', async () => {
    const { savedQuery } = await createSavedQuery(mesh.admin, {
      name: `never kept ${randomUUID()}`,
      dataSourceId: sources.flights_pg,
      sql: 'select 1 as one',
      cacheTtlSeconds: 0,
    });
    const input = { query: { savedQuery: { id: savedQuery?.id } }, waitSeconds: 20 };
    for (let times = 0; times < 2; times += 1) {
      const { execution } = await tryRun(mesh.admin, input);
      expect(await statusOf(mesh.admin, execution?.id ?? '')).toBe('BYPASS');
    }
  });

  test.each([-1, 90_000])('with a TTL of %i is refused at its place', async (cacheTtlSeconds) => {
    const { errors } = await createSavedQuery(mesh.admin, {
      name: 'x',
      dataSourceId: sources.flights_pg,
      sql: 'select 1',
      cacheTtlSeconds,
    });
    expect(errors[0]).toMatchObject({ code: 'INVALID_INPUT', path: ['cacheTtlSeconds'] });
  });
});

test('Answers are counted by how the cache gave them', async () => {
  const counted = async (): Promise<number> => {
    const text = await (await fetch(`${mesh.access.operationsUrls['orchestrator']}/metrics`)).text();
    return Number(/^sluice_orchestrator_cache_answers_total\{[^}]*status="HIT"[^}]*\} (\d+)/m.exec(text)?.[1] ?? 0);
  };
  const text = unique('select 1 as one');
  await runToEnd(mesh.admin, sources.flights_pg, text);
  const before = await counted();
  for (let times = 0; times < 3; times += 1) await runToEnd(mesh.admin, sources.flights_pg, text);
  // Other tests ask at the same time.
  expect(await counted()).toBeGreaterThanOrEqual(before + 3);
});

describe('invalidateCache', () => {
  const asked = async (text: string): Promise<string> =>
    statusOf(mesh.admin, (await runToEnd(mesh.admin, sources.flights, text)).id);

  test('has what it names run again, and says how many results that were', async () => {
    const text = unique('select 1 as one');
    expect([await asked(text), await asked(text)]).toEqual(['MISS', 'HIT']);
    const { invalidatedCount, errors } = await invalidate(mesh.admin, { dataSourceIds: [sources.flights] });
    expect(errors).toEqual([]);
    expect(invalidatedCount).toBeGreaterThan(0);
    expect([await asked(text), await asked(text)]).toEqual(['MISS', 'HIT']);
  });

  test('is seen by the next question, however often the same was answered a moment ago, and each answer is in the history', async () => {
    const text = unique('select 1 as one');
    const statuses: string[] = [];
    for (let times = 0; times < 5; times += 1) statuses.push(await asked(text));
    expect(statuses).toEqual(['MISS', 'HIT', 'HIT', 'HIT', 'HIT']);
    await invalidate(mesh.admin, { dataSourceIds: [sources.flights] });
    expect(await asked(text)).toBe('MISS');
  });

  test('by tag concerns the saved queries that have it', async () => {
    const tag = `t-${randomUUID()}`;
    const { savedQuery } = await createSavedQuery(mesh.admin, {
      name: `tagged ${randomUUID()}`,
      dataSourceId: sources.flights_pg,
      sql: unique('select 1 as one'),
      tags: [tag],
    });
    const run = async (): Promise<string> => {
      const input = { query: { savedQuery: { id: savedQuery?.id } }, waitSeconds: 20 };
      return statusOf(mesh.admin, (await tryRun(mesh.admin, input)).execution?.id ?? '');
    };
    expect([await run(), await run()]).toEqual(['MISS', 'HIT']);
    expect((await invalidate(mesh.admin, { tags: [tag] })).invalidatedCount).toBe(1);
    expect(await run()).toBe('MISS');
  });

  test('without a name is INVALID_INPUT, and without the permission FORBIDDEN', async () => {
    expect((await invalidate(mesh.admin, {})).errors[0]).toMatchObject({ code: 'INVALID_INPUT' });
    const { client } = await newPerson(mesh.admin, 'viewer');
    const { errors } = await invalidate(client, { dataSourceIds: [sources.flights] });
    expect(errors[0]).toMatchObject({ code: 'FORBIDDEN' });
  });
});

describe('POST /v1/cache/invalidate', () => {
  const { origin } = mesh;

  async function post(body: unknown, authorization = `Key ${mesh.access.apiKey}`): Promise<[number, unknown]> {
    const response = await fetch(`${origin}/v1/cache/invalidate`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(authorization ? { authorization } : {}) },
      body: JSON.stringify(body),
    });
    return [response.status, await response.json()];
  }

  test('is the call of docs/cache.md, with an API key', async () => {
    const text = unique('select 1 as one');
    await runToEnd(mesh.admin, sources.flights_pg, text);
    const [call] = fencedBlocks(readFileSync('docs/cache.md', 'utf8'), 'sh cache');
    const { output, exitCode } = await runProgram('bash', ['-ec', call ?? 'false'], {
      PATH: process.env['PATH'],
      SLUICE_URL: origin,
      SLUICE_API_KEY: mesh.access.apiKey,
      SOURCE_ID: sources.flights_pg,
    });
    expect([exitCode, JSON.parse(output)]).toEqual([0, { invalidatedCount: expect.any(Number) }]);
    expect(await statusOf(mesh.admin, (await runToEnd(mesh.admin, sources.flights_pg, text)).id)).toBe('MISS');
  });

  test.each([
    ['dbt', 'sh dbt', (text: string) => `dbt() { true; }\n${text}`],
    ['Airflow', 'python airflow', (text: string) => /bash_command=r"""([^]*?)"""/.exec(text)?.[1] ?? 'false'],
    ['a stream', 'sh stream', (text: string) => `echo '{"tags": ["streamed"]}' | {\n${text}\n}`],
  ])('is the call of docs/cache.md for %s', async (what, fence, commandOf) => {
    const { savedQuery } = await createSavedQuery(mesh.admin, {
      name: `loaded by ${what} ${randomUUID()}`,
      dataSourceId: sources.flights_pg,
      sql: unique('select 1 as one'),
      tags: ['dbt', 'daily', 'streamed'],
    });
    const run = async (): Promise<string> => {
      const input = { query: { savedQuery: { id: savedQuery?.id } }, waitSeconds: 20 };
      return statusOf(mesh.admin, (await tryRun(mesh.admin, input)).execution?.id ?? '');
    };
    expect([await run(), await run()]).toEqual(['MISS', 'HIT']);
    const [block] = fencedBlocks(readFileSync('docs/cache.md', 'utf8'), fence);
    const { output, exitCode } = await runProgram('bash', ['-ec', commandOf(block ?? 'false')], {
      PATH: process.env['PATH'],
      SLUICE_URL: origin,
      SLUICE_API_KEY: mesh.access.apiKey,
    });
    expect([exitCode, JSON.parse(output)]).toEqual([0, { invalidatedCount: expect.any(Number) }]);
    expect(await run()).toBe('MISS');
  });

  test.each([
    ['nothing named', {}, 400, { code: 'INVALID_INPUT', path: [] }],
    ['an unknown member', { everything: true }, 400, { code: 'INVALID_INPUT', path: ['everything'] }],
    ['a tag that is a number', { tags: [1] }, 400, { code: 'INVALID_INPUT', path: ['tags', '0'] }],
    ['no object', [], 400, { code: 'INVALID_INPUT', path: [] }],
  ])('refuses %s with its place', async (_what, body, status, error) => {
    expect(await post(body)).toMatchObject([status, { errors: [error], requestId: expect.any(String) }]);
  });

  test('is for those alone who may: 401 without a key, 403 without the permission', async () => {
    expect(await post({ tags: ['a'] }, '')).toMatchObject([401, { errors: [{ code: 'UNAUTHENTICATED' }] }]);
    expect(await post({ tags: ['a'] }, 'Key slk_wrong')).toMatchObject([401, {}]);
    const { client } = await newPerson(mesh.admin, 'viewer');
    expect(await post({ tags: ['a'] }, client.authorization ?? '')).toMatchObject([
      403,
      { errors: [{ code: 'FORBIDDEN' }] },
    ]);
  });
});
