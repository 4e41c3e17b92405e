import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApiClient } from '../support/api-client.js';
import { newDataSource } from '../support/data-sources.js';
import { getExecution, readAllRows, run, runToEnd, sqlInput, tryRun, untilFinal } from '../support/executions.js';
import { newApiKey, newPerson, type Person } from '../support/people.js';
import { fencedBlocks } from '../support/readme-blocks.js';
import { newRowPolicy } from '../support/row-policies.js';
import { newSavedQuery } from '../support/saved-queries.js';
import { sharedMesh } from '../support/running-mesh.js';
import { unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

const personOf = (role: 'viewer' | 'analyst', state: string): Promise<Person> =>
  newPerson(mesh.admin, role, { attributes: { state } });

async function rowsOf(client: ApiClient, input: Record<string, unknown>): Promise<unknown[][]> {
  const { execution, errors } = await tryRun(client, { waitSeconds: 20, ...input });
  expect(errors).toEqual([]);
  const { id = '', state, error } = execution ? await untilFinal(client, execution.id) : {};
  expect([state, error]).toEqual(['SUCCEEDED', null]);
  return readAllRows(client, id);
}

describe.each(['postgres', 'duckdb'] as const)('Rows outside a row policy of a %s source come out', (kind) => {
  let sourceId = '';
  let texan: Person;
  let alaskan: Person;
  let viewers: Record<'TX' | 'AK', Person>;
  beforeAll(async () => {
    const flights = await mesh.source('flights');
    const options = kind === 'duckdb' ? (flights.options ?? {}) : { ...mesh.access.reader };
    sourceId = (await newDataSource(mesh.admin, kind, options)).id;
    const [one, other, third, fourth] = await Promise.all([
      personOf('analyst', 'TX'),
      personOf('analyst', 'AK'),
      personOf('viewer', 'TX'),
      personOf('viewer', 'AK'),
    ]);
    [texan, alaskan, viewers] = [one, other, { TX: third, AK: fourth }];
    await newRowPolicy(mesh.admin, sourceId, 'state = {{ user.state }}', { table: { name: 'airports' } });
  });

  test('neither by a saved query nor by the options of its parameters', async () => {
    const options = await newSavedQuery(mesh.admin, sourceId, unique('select distinct state from airports order by 1'));
    const { id } = await newSavedQuery(
      mesh.admin,
      sourceId,
      unique('select distinct state from airports where state = {{ state }} or true'),
      { parameters: [{ name: 'state', type: 'TEXT', optionsQueryId: options.id }] },
    );
    const input = (state: string) => ({ query: { savedQuery: { id, parameters: { state } } } });
    // Each twice: what is kept of one person's options and answers is not another's.
    for (const state of ['TX', 'AK', 'TX', 'AK'] as const) {
      const { client } = viewers[state];
      const { parameterOptions } = await client.request<{ parameterOptions: unknown }>(
        `query ($id: ID!) { parameterOptions(savedQueryId: $id, parameter: "state", first: 10) { options { value } } }`,
        { id },
      );
      expect(parameterOptions).toEqual({ options: [{ value: state }] });
      expect(await rowsOf(client, input(state))).toEqual([[state]]);
      const { execution, errors } = await tryRun(client, input(state === 'TX' ? 'AK' : 'TX'));
      expect([execution, errors]).toMatchObject([null, [{ code: 'PARAMETER_INVALID' }]]);
    }
  });

  test('not by a run that is shared while it is under way: equal policy values share, others run by themselves', async () => {
    const second = await personOf('analyst', 'TX');
    const text = unique(`select min(state) as state, (select count(*) from generate_series(1, 1000) a(i)
      cross join generate_series(1, 8000) b(j) where a.i + b.j > 0) as n from airports`);
    const asked = await Promise.all(
      [texan, second, alaskan].map(async ({ client }) => ({ client, execution: await run(client, sourceId, text) })),
    );
    const ended = await Promise.all(
      asked.map(async ({ client, execution }) => {
        await untilFinal(client, execution.id);
        const [[state] = []] = await readAllRows(client, execution.id);
        return [state, (await getExecution(client, execution.id)).cache.status];
      }),
    );
    expect(ended.map(([state]) => state)).toEqual(['TX', 'TX', 'AK']);
    expect(
      ended
        .slice(0, 2)
        .map(([, status]) => status)
        .toSorted(),
    ).toEqual(['MISS', 'SHARED']);
    expect(ended[2]?.[1]).toBe('MISS');
  });

  test('not in the text of an error: what is hidden is not looked at, and cannot fail', async () => {
    const text = `select cast(case when state = 'TX' then '1' else 'seen ' || state end as int) as n from airports`;
    expect((await runToEnd(texan.client, sourceId, unique(text))).state).toBe('SUCCEEDED');
    const { state, error } = await runToEnd(alaskan.client, sourceId, unique(text));
    // A source says the value that failed, and predicates fail for hidden rows too.
    expect([state, error?.code, error?.message]).toEqual([
      'FAILED',
      'QUERY_FAILED',
      'The data source could not compute a value. Its own message is not told where row policies apply.',
    ]);
    const divided = `select 1 / (case when state = 'TX' then 1 else 0 end) as n from airports`;
    const [[sum] = []] = await rowsOf(texan.client, sqlInput(sourceId, unique(`select max(n) from (${divided}) d`)));
    expect(Number(sum)).toBe(1);
  });

  test.each(['explain select * from airports', 'explain analyze select * from airports'])(
    'not by a plan: %s',
    async (text) => {
      const { execution, errors } = await tryRun(texan.client, sqlInput(sourceId, text));
      expect(execution).toBeNull();
      expect(['SQL_NOT_READ_ONLY', 'SQL_REJECTED']).toContain(errors[0]?.code);
    },
  );
});

test('the guide’s policy can be made as it stands, and holds: people and their keys see their own region alone', async () => {
  const { user } = mesh.access.reader;
  await mesh.warehouse.query(`create table sales (region text, email text, amount int);
    insert into sales values ('north', 'a@example.com', 1), ('south', 'b@example.com', 2); grant select on sales to "${user}"`);
  try {
    const source = await newDataSource(mesh.admin, 'postgres', { ...mesh.access.reader });
    const [mutation = ''] = fencedBlocks(readFileSync('docs/policies.md', 'utf8'), 'graphql');
    const { createRowPolicy } = await mesh.admin.request<{ createRowPolicy: unknown }>(
      mutation.replace('src_…', source.id),
    );
    expect(createRowPolicy).toEqual({
      rowPolicy: { id: expect.any(String), version: 1 },
      untriedReason: null,
      errors: [],
    });
    const north = await newPerson(mesh.admin, 'analyst', { attributes: { region: 'north' } });
    const key = await newApiKey(north.client);
    const head = await newPerson(mesh.admin, 'analyst', { groupNames: ['head office'] });
    const text = "select region, email, '{{ user.email }}' as me from sales order by region";
    const hash = expect.stringMatching(/^[0-9a-f]{64}$/);
    for (const client of [north.client, key.client]) {
      expect(await rowsOf(client, sqlInput(source.id, text))).toEqual([['north', hash, north.email]]);
    }
    expect(await rowsOf(head.client, sqlInput(source.id, text))).toEqual([
      ['north', 'a@example.com', head.email],
      ['south', 'b@example.com', head.email],
    ]);
  } finally {
    await mesh.warehouse.query('drop table sales');
  }
});
