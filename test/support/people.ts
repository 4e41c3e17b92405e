import { randomUUID } from 'node:crypto';
import type { ApiClient } from './api-client.js';
import { errorFields, type Failures } from './api-types.js';

export type RoleName = 'viewer' | 'analyst' | 'editor' | 'admin';

export interface SessionTokens extends Failures {
  accessToken: string | null;
  refreshToken: string | null;
  expiresAt: string | null;
}

const sessionFields = `accessToken refreshToken expiresAt ${errorFields}`;

export interface Credentials {
  email: string;
  password: string;
  workspace?: string;
}

export async function signIn(client: ApiClient, { email, password, workspace }: Credentials): Promise<SessionTokens> {
  const data = await client.request<{ signIn: SessionTokens }>(
    `mutation ($input: SignInInput!) { signIn(input: $input) { ${sessionFields} } }`,
    { input: { email, password, ...(workspace === undefined ? {} : { workspace }) } },
  );
  return data.signIn;
}

export async function refresh(client: ApiClient, refreshToken: string): Promise<SessionTokens> {
  const data = await client.request<{ refreshSession: SessionTokens }>(
    `mutation ($refreshToken: String!) { refreshSession(refreshToken: $refreshToken) { ${sessionFields} } }`,
    { refreshToken },
  );
  return data.refreshSession;
}

/** A client that is signed in. */
export async function signedIn(client: ApiClient, input: Credentials): Promise<ApiClient> {
  const { accessToken, errors } = await signIn(client, input);
  if (accessToken === null) throw new Error(`${input.email} cannot sign in: ${JSON.stringify(errors)}`);
  return client.as(`Bearer ${accessToken}`);
}

export interface User {
  id: string;
  name: string;
  email: string | null;
  roleNames: string[] | null;
  groupNames: string[] | null;
  attributes: Record<string, unknown> | null;
  disabled: boolean;
  version: number;
}

export interface UserPayload extends Failures {
  user: User | null;
}

const userFields = 'id name email roleNames groupNames attributes disabled version';

export async function createUser(client: ApiClient, input: Record<string, unknown>): Promise<UserPayload> {
  const data = await client.request<{ createUser: UserPayload }>(
    `mutation ($input: CreateUserInput!) { createUser(input: $input) { user { ${userFields} } ${errorFields} } }`,
    { input },
  );
  return data.createUser;
}

export async function updateUser(client: ApiClient, input: Record<string, unknown>): Promise<UserPayload> {
  const data = await client.request<{ updateUser: UserPayload }>(
    `mutation ($input: UpdateUserInput!) { updateUser(input: $input) { user { ${userFields} } ${errorFields} } }`,
    { input },
  );
  return data.updateUser;
}

export interface Person {
  user: User;
  email: string;
  password: string;
  client: ApiClient;
}

/** A new person of a role, signed in. */
export async function newPerson(
  admin: ApiClient,
  role: RoleName,
  more: { groupNames?: string[]; attributes?: Record<string, unknown> } = {},
): Promise<Person> {
  const email = `${role}-${randomUUID()}@example.com`;
  const password = `pw-${randomUUID()}`;
  const { user, errors } = await createUser(admin, { email, name: `A ${role}`, password, roleNames: [role], ...more });
  if (!user) throw new Error(`no user was made: ${JSON.stringify(errors)}`);
  return { user, email, password, client: await signedIn(admin.as(undefined), { email, password }) };
}

export interface ApiKeyPayload extends Failures {
  apiKey: { id: string; name: string; prefix: string; permissions: string[] | null; expiresAt: string | null } | null;
  secret: string | null;
}

export async function createApiKey(
  client: ApiClient,
  input: { name: string; permissions?: string[]; expiresAt?: string },
): Promise<ApiKeyPayload> {
  const data = await client.request<{ createApiKey: ApiKeyPayload }>(
    `mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) {
       apiKey { id name prefix permissions expiresAt } secret ${errorFields} } }`,
    { input },
  );
  return data.createApiKey;
}

/** A new key's id, its secret, and a client that holds it. */
export async function newApiKey(
  client: ApiClient,
  input: { permissions?: string[]; expiresAt?: string } = {},
): Promise<{ id: string; secret: string; client: ApiClient }> {
  const { apiKey, secret, errors } = await createApiKey(client, { name: `key ${randomUUID()}`, ...input });
  if (!apiKey || secret === null) throw new Error(`no key was made: ${JSON.stringify(errors)}`);
  return { id: apiKey.id, secret, client: client.as(`Key ${secret}`) };
}

export async function revokeApiKey(client: ApiClient, id: string): Promise<{ deletedId: string | null } & Failures> {
  const data = await client.request<{ revokeApiKey: { deletedId: string | null } & Failures }>(
    `mutation ($id: ID!) { revokeApiKey(id: $id) { deletedId ${errorFields} } }`,
    { id },
  );
  return data.revokeApiKey;
}
