import { randomUUID } from 'node:crypto';
import type { ApiClient } from './api-client.js';
import { errorFields, type Failures } from './api-types.js';

export interface SavedQuery {
  id: string;
  name: string;
  description: string | null;
  sql: string | null;
  tags: string[];
  version: number;
  updatedAt: string;
  dataSource: { id: string } | null;
}

export interface SavedQueryPayload extends Failures {
  savedQuery: SavedQuery | null;
}

export const savedQueryFields = 'id name description sql tags version updatedAt dataSource { id }';

export async function createSavedQuery(client: ApiClient, input: Record<string, unknown>): Promise<SavedQueryPayload> {
  const data = await client.request<{ createSavedQuery: SavedQueryPayload }>(
    `mutation ($input: CreateSavedQueryInput!) {
       createSavedQuery(input: $input) { savedQuery { ${savedQueryFields} } ${errorFields} } }`,
    { input },
  );
  return data.createSavedQuery;
}

export async function updateSavedQuery(client: ApiClient, input: Record<string, unknown>): Promise<SavedQueryPayload> {
  const data = await client.request<{ updateSavedQuery: SavedQueryPayload }>(
    `mutation ($input: UpdateSavedQueryInput!) {
       updateSavedQuery(input: $input) { savedQuery { ${savedQueryFields} } ${errorFields} } }`,
    { input },
  );
  return data.updateSavedQuery;
}

export async function newSavedQuery(
  client: ApiClient,
  dataSourceId: string,
  sql: string,
  more: Record<string, unknown> = {},
): Promise<SavedQuery> {
  const { savedQuery, errors } = await createSavedQuery(client, {
    name: `query ${randomUUID()}`,
    dataSourceId,
    sql,
    ...more,
  });
  if (!savedQuery) throw new Error(`no saved query was made: ${JSON.stringify(errors)}`);
  return savedQuery;
}
