import type { ApiClient } from './api-client.js';
import { errorFields, type Failures } from './api-types.js';

interface GrantPayload extends Failures {
  grant: { id: string; level: string } | null;
}

export async function createGrant(client: ApiClient, input: Record<string, unknown>): Promise<GrantPayload> {
  const data = await client.request<{ createGrant: GrantPayload }>(
    `mutation ($input: CreateGrantInput!) { createGrant(input: $input) { grant { id level } ${errorFields} } }`,
    { input },
  );
  return data.createGrant;
}

export async function newGrant(client: ApiClient, input: Record<string, unknown>): Promise<string> {
  const { grant, errors } = await createGrant(client, input);
  if (!grant) throw new Error(`no grant was made: ${JSON.stringify(errors)}`);
  return grant.id;
}

export async function deleteGrant(client: ApiClient, id: string): Promise<void> {
  const { deleteGrant: payload } = await client.request<{ deleteGrant: Failures }>(
    `mutation ($id: ID!) { deleteGrant(id: $id) { ${errorFields} } }`,
    { id },
  );
  if (payload.errors.length > 0) throw new Error(JSON.stringify(payload.errors));
}

export async function restrict(client: ApiClient, id: string): Promise<void> {
  const { restrictAsset } = await client.request<{ restrictAsset: Failures }>(
    `mutation ($id: ID!) { restrictAsset(id: $id) { asset { id } ${errorFields} } }`,
    { id },
  );
  if (restrictAsset.errors.length > 0) throw new Error(JSON.stringify(restrictAsset.errors));
}
