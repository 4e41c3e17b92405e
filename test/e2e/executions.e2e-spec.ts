import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cancel, findExecution, run, runToEnd, untilFinal } from '../support/executions.js';
import { newPerson, type Person } from '../support/people.js';
import { sharedMesh } from '../support/running-mesh.js';
import { newSavedQuery } from '../support/saved-queries.js';
import { endlessQuery, unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

let person: Person;
let sourceId = '';
beforeAll(async () => {
  person = await newPerson(mesh.admin, 'analyst');
  sourceId = (await mesh.source('flights_pg')).id;
});

interface Listed {
  nodes: { id: string; state: string }[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

async function list(args: Record<string, unknown>, client = person.client): Promise<Listed> {
  const { executions } = await client.request<{ executions: Listed }>(
    `query ($first: Int!, $after: Cursor, $states: [ExecutionState!], $savedQueryId: ID, $submittedById: ID,
         $dataSourceId: ID, $search: String, $submittedFrom: DateTime, $submittedTo: DateTime) {
       executions(first: $first, after: $after, states: $states, savedQueryId: $savedQueryId,
           submittedById: $submittedById, dataSourceId: $dataSourceId, search: $search,
           submittedFrom: $submittedFrom, submittedTo: $submittedTo) {
         nodes { id state } pageInfo { hasNextPage endCursor } } }`,
    args,
  );
  return executions;
}

describe('The list of executions', () => {
  test('is newest first and goes page by page through all, each once', async () => {
    const made: string[] = [];
    for (let index = 0; index < 5; index += 1)
      made.unshift((await runToEnd(person.client, sourceId, unique('select 1'))).id);
    const seen: string[] = [];
    for (let after: string | null = null; ;) {
      const page = await list({ first: 2, after });
      seen.push(...page.nodes.map(({ id }) => id));
      if (!page.pageInfo.hasNextPage) break;
      after = page.pageInfo.endCursor;
    }
    expect(seen.slice(0, 5)).toEqual(made);
    expect(new Set(seen).size).toBe(seen.length);
  });

  test('can be narrowed to states', async () => {
    const { id } = await run(person.client, sourceId, endlessQuery().text);
    expect((await list({ first: 10, states: ['QUEUED', 'RUNNING'] })).nodes.map((node) => node.id)).toEqual([id]);
    await cancel(person.client, id);
    await untilFinal(person.client, id);
    expect((await list({ first: 10, states: ['CANCELED'] })).nodes.map((node) => node.id)).toContain(id);
    expect((await list({ first: 10, states: ['QUEUED', 'RUNNING'] })).nodes).toEqual([]);
  });

  test('can be narrowed to a saved query', async () => {
    const { id: savedQueryId } = await newSavedQuery(mesh.admin, sourceId, unique('select 1'));
    const { runQuery } = await person.client.request<{ runQuery: { execution: { id: string } } }>(
      'mutation ($input: RunQueryInput!) { runQuery(input: $input) { execution { id } } }',
      { input: { query: { savedQuery: { id: savedQueryId } } } },
    );
    expect((await list({ first: 10, savedQueryId })).nodes.map(({ id }) => id)).toEqual([runQuery.execution.id]);
  });
});

describe('The history', () => {
  const idsOf = async (args: Record<string, unknown>, client = person.client): Promise<string[]> =>
    (await list({ first: 50, ...args }, client)).nodes.map(({ id }) => id);

  test('is searched by source, text and time, and by user for those who may read everyone’s', async () => {
    const word = `word${Date.now()}`;
    const { id: flights } = await mesh.source('flights');
    const from = new Date();
    const one = await runToEnd(person.client, sourceId, unique(`select 1 as ${word}_a`));
    const between = new Date();
    const other = await runToEnd(mesh.admin, flights, unique(`select 1 as ${word}_b`));
    expect(await idsOf({ search: word.toUpperCase() }, mesh.admin)).toEqual([other.id, one.id]);
    expect(await idsOf({ search: word })).toEqual([one.id]);
    expect(await idsOf({ search: `${word}%` }, mesh.admin)).toEqual([]);
    expect(await idsOf({ search: word, dataSourceId: flights }, mesh.admin)).toEqual([other.id]);
    expect(await idsOf({ search: word, submittedById: person.user.id }, mesh.admin)).toEqual([one.id]);
    const [submittedFrom, submittedTo] = [from.toISOString(), between.toISOString()];
    expect(await idsOf({ search: word, submittedFrom, submittedTo }, mesh.admin)).toEqual([one.id]);
    expect(await idsOf({ search: word, submittedFrom: submittedTo }, mesh.admin)).toEqual([other.id]);
    expect(await idsOf({ dataSourceId: 'made-up' })).toEqual([]);
  });

  test('is not searched in statements by those who may not read them', async () => {
    const { client } = await newPerson(mesh.admin, 'viewer');
    const { errors } = await client.send('{ executions(first: 1, search: "secret") { nodes { id } } }');
    expect(errors?.[0]).toMatchObject({ extensions: { code: 'FORBIDDEN' } });
  });
});

describe('One execution', () => {
  test('is found by id, by node too, and so is its result', async () => {
    const { id, result } = await runToEnd(person.client, sourceId, unique('select 1 as one'));
    const data = await person.client.request<{
      execution: { id: string };
      node: { __typename: string };
      result: unknown;
    }>(
      `query ($id: ID!, $result: ID!) { execution(id: $id) { id submittedBy { id name } }
         node(id: $id) { __typename id } result: node(id: $result) { ... on Result { id rowCount } } }`,
      { id, result: result?.id },
    );
    expect(data).toMatchObject({
      execution: { id, submittedBy: { id: person.user.id } },
      node: { __typename: 'Execution', id },
      result: { id: result?.id, rowCount: 1 },
    });
  });

  test.each(['exe_00000000000000000000000000', 'made-up', ''])('%j, which does not exist, is null', async (id) => {
    const { data } = await person.client.send<{ execution: unknown }>(
      'query ($id: ID!) { execution(id: $id) { id } }',
      { id },
    );
    expect(data?.execution ?? null).toBeNull();
  });

  test('of another analyst looks like one that does not exist', async () => {
    const other = await newPerson(mesh.admin, 'analyst');
    const { id } = await runToEnd(person.client, sourceId, unique('select 1'));
    expect(await findExecution(other.client, id)).toBeNull();
    const { errors } = await cancel(other.client, id);
    expect(errors[0]?.code).toBe('NOT_FOUND');
  });
});
