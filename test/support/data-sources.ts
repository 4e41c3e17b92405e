import { randomUUID } from 'node:crypto';
import type { ApiClient } from './api-client.js';
import { errorFields, type Failures } from './api-types.js';

export interface DataSource {
  id: string;
  name: string;
  options: Record<string, unknown> | null;
  maxConcurrentExecutions: number;
  paused: boolean;
  version: number;
  schemaRefreshedAt: string | null;
}

export interface DataSourcePayload extends Failures {
  dataSource: DataSource | null;
}

export const dataSourceFields = 'id name options maxConcurrentExecutions paused version schemaRefreshedAt';

async function change(
  client: ApiClient,
  field: string,
  inputType: string,
  input: Record<string, unknown>,
): Promise<DataSourcePayload> {
  const data = await client.request<Record<string, DataSourcePayload>>(
    `mutation ($input: ${inputType}!) { ${field}(input: $input) { dataSource { ${dataSourceFields} } ${errorFields} } }`,
    { input },
  );
  const payload = data[field];
  if (!payload) throw new Error(`${field} answered null`);
  return payload;
}

export function createDataSource(client: ApiClient, input: Record<string, unknown>): Promise<DataSourcePayload> {
  return change(client, 'createDataSource', 'CreateDataSourceInput', input);
}

export function updateDataSource(client: ApiClient, input: Record<string, unknown>): Promise<DataSourcePayload> {
  return change(client, 'updateDataSource', 'UpdateDataSourceInput', input);
}

/** A data source of its own for one test. */
export async function newDataSource(
  client: ApiClient,
  type: 'postgres' | 'duckdb',
  options: Record<string, unknown>,
  more: Record<string, unknown> = {},
): Promise<DataSource> {
  const name = `source_${randomUUID().slice(0, 8)}`;
  const { dataSource, errors } = await createDataSource(client, { name, type, options, ...more });
  if (!dataSource) throw new Error(`no data source was made: ${JSON.stringify(errors)}`);
  return dataSource;
}

/** Reads its tables now; they are read behind its making otherwise. */
export async function refreshSchema(client: ApiClient, id: string): Promise<void> {
  const { refreshDataSourceSchema } = await client.request<{ refreshDataSourceSchema: Failures }>(
    `mutation ($id: ID!) { refreshDataSourceSchema(id: $id) { ${errorFields} } }`,
    { id },
  );
  if (refreshDataSourceSchema.errors.length > 0) throw new Error(JSON.stringify(refreshDataSourceSchema.errors));
}

export async function deleteDataSource(
  client: ApiClient,
  id: string,
): Promise<{ deletedId: string | null } & Failures> {
  const data = await client.request<{ deleteDataSource: { deletedId: string | null } & Failures }>(
    `mutation ($id: ID!) { deleteDataSource(id: $id) { deletedId ${errorFields} } }`,
    { id },
  );
  return data.deleteDataSource;
}

export interface TestPayload extends Failures {
  ok: boolean;
  latencyMs: number | null;
  serverVersion: string | null;
}

export async function testDataSource(client: ApiClient, id: string): Promise<TestPayload> {
  const data = await client.request<{ testDataSource: TestPayload }>(
    `mutation ($id: ID!) { testDataSource(id: $id) { ok latencyMs serverVersion ${errorFields} } }`,
    { id },
  );
  return data.testDataSource;
}

export async function findDataSource(client: ApiClient, name: string): Promise<DataSource> {
  const { dataSources } = await client.request<{ dataSources: { nodes: DataSource[] } }>(
    `{ dataSources(first: 100) { nodes { ${dataSourceFields} } } }`,
  );
  const found = dataSources.nodes.find((source) => source.name === name);
  if (!found) throw new Error(`there is no data source ${name}`);
  return found;
}
