import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '#libs/testing';
import type { UserError } from '../support/api-types.js';
import { runToEnd, tryRun } from '../support/executions.js';
import { runProgram } from '../support/programs.js';
import { fencedBlocks } from '../support/readme-blocks.js';
import { sharedMesh } from '../support/running-mesh.js';
import { newSavedQuery, updateSavedQuery } from '../support/saved-queries.js';
import { unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

const guide = readFileSync('docs/cache.md', 'utf8');
const sources: Record<'flights' | 'flights_pg', string> = { flights: '', flights_pg: '' };
beforeAll(async () => {
  for (const name of ['flights', 'flights_pg'] as const) sources[name] = (await mesh.source(name)).id;
});

interface Invalidated {
  invalidatedCount: number | null;
  errors: UserError[];
}

/** By the mutation that the guide shows. */
async function invalidate(sourceId: string, name: string, schema?: string): Promise<Invalidated> {
  const [document] = fencedBlocks(guide, 'graphql tables');
  const data = await mesh.admin.request<{ invalidateCache: Invalidated }>(document ?? '', {
    input: { tables: [{ dataSourceId: sourceId, table: { schema, name } }] },
  });
  return data.invalidateCache;
}

async function statusOf(id: string): Promise<string> {
  const data = await mesh.admin.request<{ execution: { cache: { status: string } } }>(
    'query ($id: ID!) { execution(id: $id) { cache { status } } }',
    { id },
  );
  return data.execution.cache.status;
}

describe.each([
  ['flights', 'main'],
  ['flights_pg', 'public'],
] as const)('a table of %s', (source, schema) => {
  const ask = async (text: string): Promise<string> => statusOf((await runToEnd(mesh.admin, sources[source], text)).id);

  test('has what reads it asked again, however it is written, and leaves the rest', async () => {
    const reading = [
      unique('select count(*) as n from airports'),
      unique('select count(*) as n from AIRPORTS'),
      unique(`select count(*) as n from ${schema}."airports"`),
      unique('with a as (select iata from airports) select count(*) as n from a'),
    ];
    const other = unique('select count(*) as n from (select 1 as airports) a');
    // Asked twice and more, so that the gateways repeat the answer by themselves.
    for (const text of [...reading, other]) {
      expect([await ask(text), await ask(text), await ask(text)]).toEqual(['MISS', 'HIT', 'HIT']);
    }
    const { invalidatedCount, errors } = await invalidate(sources[source], 'Airports', schema);
    expect([errors, (invalidatedCount ?? 0) >= reading.length]).toEqual([[], true]);
    expect(await ask(other)).toBe('HIT');
    for (const text of reading) expect([await ask(text), await ask(text)]).toEqual(['MISS', 'HIT']);
  });

  test('of the other source, or of another name, concerns nobody', async () => {
    const text = unique('select count(*) as n from airports');
    expect(await ask(text)).toBe('MISS');
    await invalidate(source === 'flights' ? sources.flights_pg : sources.flights, 'airports');
    await invalidate(sources[source], 'airport');
    expect(await ask(text)).toBe('HIT');
  });

  test('is named by plain HTTP as well, with an API key', async () => {
    const text = unique('select count(*) as n from airports');
    expect([await ask(text), await ask(text)]).toEqual(['MISS', 'HIT']);
    const [call] = fencedBlocks(guide, 'sh table');
    const { output, exitCode } = await runProgram('bash', ['-ec', call ?? 'false'], {
      PATH: process.env['PATH'],
      SLUICE_URL: mesh.origin,
      SLUICE_API_KEY: mesh.access.apiKey,
      SOURCE_ID: sources[source],
    });
    expect([exitCode, JSON.parse(output)]).toEqual([0, { invalidatedCount: expect.any(Number) }]);
    expect(await ask(text)).toBe('MISS');
  });

  test('that is loaded has the chosen saved queries run again, before anybody asks', async () => {
    const query = await newSavedQuery(mesh.admin, sources[source], unique('select count(*) as n from airports'));
    const plain = await newSavedQuery(mesh.admin, sources[source], unique('select count(*) as n from airports'));
    const run = async (id: string): Promise<string> => {
      const { execution } = await tryRun(mesh.admin, { query: { savedQuery: { id } }, waitSeconds: 20 });
      return statusOf(execution?.id ?? '');
    };
    expect([await run(query.id), await run(query.id), await run(plain.id)]).toEqual(['MISS', 'HIT', 'MISS']);
    const chosen = await updateSavedQuery(mesh.admin, { id: query.id, version: query.version, warmUp: true });
    expect(chosen.errors).toEqual([]);
    await invalidate(sources[source], 'airports');
    const invalidatedAt = new Date().toISOString();
    const warmed = async (): Promise<string[]> => {
      const data = await mesh.admin.request<{
        executions: { nodes: { state: string; priority: string; submittedAt: string }[] };
      }>('query ($id: ID!) { executions(first: 10, savedQueryId: $id) { nodes { state priority submittedAt } } }', {
        id: query.id,
      });
      // What an earlier invalidation has begun does not count.
      const since = data.executions.nodes.filter(({ submittedAt }) => submittedAt >= invalidatedAt);
      return since.filter(({ priority }) => priority === 'SCHEDULED').map(({ state }) => state);
    };
    await until(async () => (await warmed()).includes('SUCCEEDED'));
    expect([await run(query.id), await run(plain.id)]).toEqual(['HIT', 'MISS']);
    // No more of it, so that other tests are left alone.
    await updateSavedQuery(mesh.admin, { id: query.id, version: chosen.savedQuery?.version, warmUp: false });
  });
});

describe('a table that cannot be', () => {
  test('has no name: INVALID_INPUT at its place', async () => {
    const { errors } = await invalidate(sources.flights, '');
    expect(errors[0]).toMatchObject({ code: 'INVALID_INPUT', path: ['tables', '0', 'table', 'name'] });
  });

  test.each([
    [{ tables: [{ dataSourceId: 's' }] }, ['tables', '0', 'table']],
    [{ tables: [{ dataSourceId: 's', table: { name: 1 } }] }, ['tables', '0', 'table', 'name']],
    [{ tables: [{ table: { name: 't' } }] }, ['tables', '0', 'dataSourceId']],
  ])('is refused over HTTP at its place: %j', async (body, path) => {
    const response = await fetch(`${mesh.origin}/v1/cache/invalidate`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Key ${mesh.access.apiKey}` },
      body: JSON.stringify(body),
    });
    expect([response.status, await response.json()]).toMatchObject([
      400,
      { errors: [{ code: 'INVALID_INPUT', path }] },
    ]);
  });

  test('is unknown: nothing is invalidated, and that is no fault', async () => {
    expect(await invalidate(sources.flights, `no_${randomUUID()}`)).toEqual({ invalidatedCount: 0, errors: [] });
  });
});
