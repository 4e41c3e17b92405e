import type pg from 'pg';
import { MasterKeys, newDataKey } from '#libs/encryption';
import { newId } from '#libs/kernel';
import { administrator } from '../../deploy/local/administrator.ts';
import { Api } from './api.ts';
import type { Access, Installation } from './installation.ts';

export interface Tenant {
  readonly api: Api;
  readonly workspaceId: string;
  /** Reads the database of the flights as the role of flights_pg does. */
  readonly sourceId: string;
}

interface Failures {
  errors: { message: string }[];
}

/** Another workspace, made as the bootstrap of auth makes the first one, since the API makes none. */
export async function newTenant(mesh: Installation, sluice: pg.Client, options: object): Promise<Tenant> {
  const [workspaceId, userId] = [newId('workspace'), newId('user')];
  const email = `${userId}@example.org`;
  const { masterKeyId, wrappedKey } = newDataKey(MasterKeys.parse(mesh.secrets().masterKeys), workspaceId);
  const slug = workspaceId.replace('_', '-');
  await sluice.query(
    'insert into auth.workspace (id, slug, name, master_key_id, wrapped_key) values ($1, $2, $2, $3, $4)',
    [workspaceId, slug, masterKeyId, wrappedKey],
  );
  await sluice.query(
    `insert into auth.user_account (id, workspace_id, email, name, name_key, password_hash, role_names)
     select $1, $2, $3, 'Tenant', 'tenant', password_hash, '{admin}' from auth.user_account where email = $4`,
    [userId, workspaceId, email, administrator.email],
  );
  const access = await keyOf(mesh.access, { email, password: mesh.secrets().adminPassword, workspace: slug });
  const api = new Api({ access });
  const { createDataSource } = await api.request<{
    createDataSource: { dataSource: { id: string } | null } & Failures;
  }>(
    'mutation ($input: CreateDataSourceInput!) { createDataSource(input: $input) { dataSource { id } errors { message } } }',
    { input: { name: 'flights_pg', type: 'postgres', options, maxConcurrentExecutions: 1_000 } },
  );
  if (!createDataSource.dataSource) throw new Error(createDataSource.errors.map(({ message }) => message).join('; '));
  return { api, workspaceId, sourceId: createDataSource.dataSource.id };
}

async function keyOf(access: Access, input: Record<string, string>): Promise<Access> {
  const ask = async <T>(query: string, variables: object, authorization?: string): Promise<T> => {
    const headers = { 'content-type': 'application/json', ...(authorization ? { authorization } : {}) };
    const answer = await fetch(access.graphqlUrl, {
      method: 'POST',
      headers,
      body: JSON.stringify({ query, variables }),
    });
    // The shape that the mutation asks for.
    return ((await answer.json()) as { data: T }).data;
  };
  const { signIn } = await ask<{ signIn: { accessToken: string } }>(
    'mutation ($input: SignInInput!) { signIn(input: $input) { accessToken } }',
    { input },
  );
  const { createApiKey } = await ask<{ createApiKey: { secret: string } }>(
    'mutation { createApiKey(input: { name: "bench" }) { secret } }',
    {},
    `Bearer ${signIn.accessToken}`,
  );
  return { ...access, apiKey: createApiKey.secret };
}
