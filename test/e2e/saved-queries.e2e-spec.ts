import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorFields, type Failures } from '../support/api-types.js';
import { findExecution, tryRun, untilFinal } from '../support/executions.js';
import { newPerson } from '../support/people.js';
import { sharedMesh } from '../support/running-mesh.js';
import {
  createSavedQuery,
  newSavedQuery,
  savedQueryFields,
  updateSavedQuery,
  type SavedQuery,
} from '../support/saved-queries.js';
import { unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

let sourceId = '';
beforeAll(async () => {
  sourceId = (await mesh.source('flights')).id;
});

async function list(args: Record<string, unknown>): Promise<{ nodes: SavedQuery[]; totalCount: number }> {
  const { savedQueries } = await mesh.admin.request<{ savedQueries: { nodes: SavedQuery[]; totalCount: number } }>(
    `query ($first: Int!, $after: Cursor, $search: String, $tags: [String!]) {
       savedQueries(first: $first, after: $after, search: $search, tags: $tags) { nodes { ${savedQueryFields} } totalCount } }`,
    args,
  );
  return savedQueries;
}

describe('A saved query', () => {
  test('keeps what it was made of, and is found by name and by tag', async () => {
    const tag = `tag-${randomUUID()}`;
    const made = await newSavedQuery(mesh.admin, sourceId, 'select 1 as one', {
      tags: [tag, 'other'],
      description: 'd',
    });
    expect(made).toMatchObject({ sql: 'select 1 as one', description: 'd', version: 1, dataSource: { id: sourceId } });
    expect((await list({ first: 10, tags: [tag] })).nodes.map(({ id }) => id)).toEqual([made.id]);
    expect((await list({ first: 10, tags: [tag, 'absent'] })).totalCount).toBe(0);
    expect((await list({ first: 10, search: made.name })).nodes.map(({ id }) => id)).toEqual([made.id]);
  });

  test('runs, and its execution names it', async () => {
    const { id } = await newSavedQuery(mesh.admin, sourceId, unique('select 42 as answer'));
    const { execution, errors } = await tryRun(mesh.admin, { query: { savedQuery: { id } }, waitSeconds: 20 });
    expect(errors).toEqual([]);
    await untilFinal(mesh.admin, execution?.id ?? '');
    const { node } = await mesh.admin.request<{
      node: { state: string; savedQuery: { id: string }; result: { rows: unknown } };
    }>(
      'query ($id: ID!) { node(id: $id) { ... on Execution { state savedQuery { id } result { rows(first: 1) { rows } } } } }',
      { id: execution?.id },
    );
    expect(node).toEqual({ state: 'SUCCEEDED', savedQuery: { id }, result: { rows: { rows: [[42]] } } });
  });

  test('is run by a viewer who sees the rows and not the text', async () => {
    const { id } = await newSavedQuery(mesh.admin, sourceId, unique('select 43 as answer'));
    const viewer = await newPerson(mesh.admin, 'viewer');
    const { execution } = await tryRun(viewer.client, { query: { savedQuery: { id } }, waitSeconds: 20 });
    await untilFinal(viewer.client, execution?.id ?? '');
    const seen = await findExecution(viewer.client, execution?.id ?? '');
    expect(seen).toMatchObject({ state: 'SUCCEEDED', sql: null, result: { rowCount: 1 } });
  });

  test('changes under optimistic locking: what is absent stays, null clears, an old version is CONFLICT with it as it is', async () => {
    const made = await newSavedQuery(mesh.admin, sourceId, 'select 1', { description: 'first', tags: ['a'] });
    const changed = await updateSavedQuery(mesh.admin, { id: made.id, version: made.version, description: null });
    expect(changed.savedQuery).toMatchObject({ description: null, tags: ['a'], sql: 'select 1', version: 2 });
    const late = await updateSavedQuery(mesh.admin, { id: made.id, version: made.version, sql: 'select 2' });
    expect(late.errors[0]).toMatchObject({ code: 'CONFLICT' });
    expect(late.savedQuery).toMatchObject({ id: made.id, sql: 'select 1', version: 2 });
  });

  test('of a source that is not there is NOT_FOUND at dataSourceId', async () => {
    const { errors } = await createSavedQuery(mesh.admin, {
      name: 'x',
      dataSourceId: 'src_00000000000000000000000000',
      sql: 'select 1',
    });
    expect(errors[0]).toMatchObject({ code: 'NOT_FOUND', path: ['dataSourceId'] });
  });

  test('that is deleted can neither be read nor run', async () => {
    const { id } = await newSavedQuery(mesh.admin, sourceId, 'select 1');
    const { deleteSavedQuery } = await mesh.admin.request<{ deleteSavedQuery: { deletedId: string } & Failures }>(
      `mutation ($id: ID!) { deleteSavedQuery(id: $id) { deletedId ${errorFields} } }`,
      { id },
    );
    expect(deleteSavedQuery).toEqual({ deletedId: id, errors: [] });
    const { node } = await mesh.admin
      .request<{ node: unknown }>('query ($id: ID!) { node(id: $id) { id } }', { id })
      .catch(() => ({ node: null }));
    expect(node).toBeNull();
    const { errors } = await tryRun(mesh.admin, { query: { savedQuery: { id } } });
    expect(errors[0]).toMatchObject({ code: 'NOT_FOUND', path: ['query', 'savedQuery', 'id'] });
  });
});

describe('The list of saved queries', () => {
  test('goes page by page through all, each once', async () => {
    const tag = `tag-${randomUUID()}`;
    const made = new Set<string>();
    for (let index = 0; index < 5; index += 1) {
      made.add((await newSavedQuery(mesh.admin, sourceId, 'select 1', { tags: [tag] })).id);
    }
    const seen: string[] = [];
    for (let after: string | null = null; ;) {
      const { savedQueries }: { savedQueries: Page } = await mesh.admin.request(
        `query ($after: Cursor, $tags: [String!]) { savedQueries(first: 2, after: $after, tags: $tags) {
           edges { cursor node { id } } pageInfo { hasNextPage endCursor } totalCount } }`,
        { after, tags: [tag] },
      );
      expect(savedQueries.totalCount).toBe(5);
      seen.push(...savedQueries.edges.map((edge) => edge.node.id));
      if (!savedQueries.pageInfo.hasNextPage) break;
      after = savedQueries.pageInfo.endCursor;
    }
    expect(seen).toHaveLength(5);
    expect(new Set(seen)).toEqual(made);
  });

  test.each([0, 101, -1])('first: %i is INVALID_INPUT', async (first) => {
    const { errors } = await mesh.admin.send('query ($first: Int!) { savedQueries(first: $first) { nodes { id } } }', {
      first,
    });
    expect(errors[0]?.extensions?.code).toBe('INVALID_INPUT');
  });

  test('a cursor of another list or of other filters is INVALID_INPUT', async () => {
    const { dataSources } = await mesh.admin.request<{ dataSources: { pageInfo: { endCursor: string } } }>(
      '{ dataSources(first: 1) { pageInfo { endCursor } } }',
    );
    const { errors } = await mesh.admin.send(
      'query ($after: Cursor) { savedQueries(first: 1, after: $after) { nodes { id } } }',
      {
        after: dataSources.pageInfo.endCursor,
      },
    );
    expect(errors[0]?.extensions?.code).toBe('INVALID_INPUT');
  });
});

interface Page {
  edges: { cursor: string; node: { id: string } }[];
  pageInfo: { hasNextPage: boolean; endCursor: string };
  totalCount: number;
}
