import { randomUUID } from 'node:crypto';
import type { ApiClient } from './api-client.js';
import { errorFields, type Failures } from './api-types.js';

export interface RowPolicy {
  id: string;
  name: string;
  predicate: string;
  groupNames: string[];
  exemptGroupNames: string[];
  key: string | null;
  enabled: boolean;
  version: number;
  table: { catalog: string | null; schema: string | null; name: string } | null;
  masks: { column: string; kind: string; value: string | null }[];
  dataSource: { id: string };
}

export interface RowPolicyPayload extends Failures {
  rowPolicy: RowPolicy | null;
  untriedReason: string | null;
}

export const rowPolicyFields = `id name predicate groupNames exemptGroupNames key enabled version
  table { catalog schema name } masks { column kind value } dataSource { id }`;

export async function createRowPolicy(client: ApiClient, input: Record<string, unknown>): Promise<RowPolicyPayload> {
  const data = await client.request<{ createRowPolicy: RowPolicyPayload }>(
    `mutation ($input: CreateRowPolicyInput!) { createRowPolicy(input: $input) { rowPolicy { ${rowPolicyFields} } untriedReason ${errorFields} } }`,
    { input },
  );
  return data.createRowPolicy;
}

export async function updateRowPolicy(client: ApiClient, input: Record<string, unknown>): Promise<RowPolicyPayload> {
  const data = await client.request<{ updateRowPolicy: RowPolicyPayload }>(
    `mutation ($input: UpdateRowPolicyInput!) { updateRowPolicy(input: $input) { rowPolicy { ${rowPolicyFields} } untriedReason ${errorFields} } }`,
    { input },
  );
  return data.updateRowPolicy;
}

export async function newRowPolicy(
  client: ApiClient,
  dataSourceId: string,
  predicate: string,
  more: Record<string, unknown> = {},
): Promise<RowPolicy> {
  const input = { name: `policy ${randomUUID()}`, dataSourceId, predicate, ...more };
  const { rowPolicy, errors } = await createRowPolicy(client, input);
  if (!rowPolicy) throw new Error(`no policy was made: ${JSON.stringify(errors)}`);
  return rowPolicy;
}

export async function deleteRowPolicy(client: ApiClient, id: string): Promise<{ deletedId: string | null } & Failures> {
  const data = await client.request<{ deleteRowPolicy: { deletedId: string | null } & Failures }>(
    `mutation ($id: ID!) { deleteRowPolicy(id: $id) { deletedId ${errorFields} } }`,
    { id },
  );
  return data.deleteRowPolicy;
}
