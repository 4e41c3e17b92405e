import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApiClient } from '../support/api-client.js';
import { newDataSource } from '../support/data-sources.js';
import { runToEnd } from '../support/executions.js';
import { newGrant } from '../support/grants.js';
import { createApiKey, createUser, newPerson, type Person } from '../support/people.js';
import { newRowPolicy } from '../support/row-policies.js';
import { sharedMesh } from '../support/running-mesh.js';
import { newSavedQuery } from '../support/saved-queries.js';
import { rootFields } from '../support/served-schema.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

let admin: Person;
let sourceId = '';
beforeAll(async () => {
  admin = await newPerson(mesh.admin, 'admin');
  sourceId = (await mesh.source('flights_pg')).id;
});

const readerOptions = () => ({ ...mesh.access.reader, ssl: { mode: 'disable' } });

/** By a mutation that takes little more than a name. @returns the id of what was made */
async function made(mutation: string, thing: string, input: Record<string, unknown>): Promise<string> {
  const inputType = `${mutation.charAt(0).toUpperCase()}${mutation.slice(1)}Input`;
  const { payload } = await admin.client.request<{ payload: { thing: { id: string } | null; errors: object[] } }>(
    `mutation ($input: ${inputType}!) { payload: ${mutation}(input: $input) { thing: ${thing} { id } errors { code path } } }`,
    { input },
  );
  if (!payload.thing) throw new Error(`${mutation} made nothing: ${JSON.stringify(payload.errors)}`);
  return payload.thing.id;
}

/** A session that its client names. */
async function sessionOf(userAgent: string): Promise<void> {
  const query = `mutation ($input: SignInInput!) { signIn(input: $input) { errors { code } } }`;
  const input = { email: admin.email, password: admin.password };
  await fetch(mesh.address(0).url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'user-agent': userAgent },
    body: JSON.stringify({ query, variables: { input } }),
  });
}

const issuer = { issuer: 'https://idp.example.com', clientId: 'ours' };

/** Every list that is searched, with what makes one thing in it that is found by a name. */
const lists: Readonly<Record<string, (name: string) => Promise<unknown>>> = {
  apiKeys: (name) => createApiKey(admin.client, { name }),
  auditForwarders: (name) => made('createAuditForwarder', 'forwarder', { name, url: 'https://log.example.com/x' }),
  dataSources: (name) => newDataSource(admin.client, 'postgres', readerOptions(), { name }),
  executions: (name) => runToEnd(admin.client, sourceId, `select 1 as "${name}"`),
  grants: async (groupName) => {
    const { id } = await newSavedQuery(admin.client, sourceId, 'select 1');
    await newGrant(admin.client, { assetId: id, groupName, level: 'RUN' });
  },
  groups: (name) => made('createGroup', 'group', { name }),
  identityProviders: (name) =>
    made('createIdentityProvider', 'identityProvider', { name, kind: 'OIDC', enabled: false, options: issuer }),
  roles: (name) => made('createRole', 'role', { name, permissions: [] }),
  rowPolicies: (name) => newRowPolicy(admin.client, sourceId, 'true', { name, enabled: false }),
  savedQueries: (name) => newSavedQuery(admin.client, sourceId, 'select 1', { name }),
  serviceAccounts: (name) => made('createServiceAccount', 'serviceAccount', { name, roleNames: [] }),
  sessions: sessionOf,
  users: (name) => createUser(admin.client, { name, email: `${randomUUID()}@example.com`, roleNames: ['viewer'] }),
  webhooks: (name) => made('createWebhook', 'webhook', { name, url: 'http://127.0.0.1:9/', enabled: false }),
};

/** Lists of the schema without an argument `search`, and why. */
const others: Readonly<Record<string, string>> = {
  auditEntries: 'by filter.search, with all that is filtered by beside it',
  webhookDeliveries: 'of one webhook, by their states; they have no names',
};

async function countOf(client: ApiClient, list: string, search: string): Promise<number> {
  const answer = await client.request<Record<string, { nodes: object[] }>>(
    `query ($search: String) { ${list}(first: 10, search: $search) { nodes { __typename } } }`,
    { search },
  );
  return answer[list]?.nodes.length ?? Number.NaN;
}

describe('Every list', () => {
  test('takes search, or says here why it does not', () => {
    const served = rootFields().filter(({ argumentNames }) => argumentNames.includes('after'));
    const queries = served.filter(
      ({ operation, argumentNames }) => operation === 'query' && argumentNames.includes('first'),
    );
    const [searched, unsearched] = [true, false].map((isSearched) =>
      queries
        .filter(({ argumentNames }) => argumentNames.includes('search') === isSearched)
        .map(({ field }) => field)
        .toSorted(),
    );
    expect([searched, unsearched]).toEqual([Object.keys(lists).toSorted(), Object.keys(others).toSorted()]);
  });

  test.each(Object.keys(lists))('%s is searched literally, in letters of either case', async (list) => {
    const name = `${list.slice(0, 4)} ${randomUUID().slice(0, 8)} 100%_ of B`;
    await lists[list]?.(name);
    expect(await countOf(admin.client, list, name)).toBe(1);
    expect(await countOf(admin.client, list, name.toUpperCase())).toBe(1);
    expect(await countOf(admin.client, list, name.replace('%_', '__'))).toBe(0);
    expect(await countOf(admin.client, list, name.replace('%_', '_%'))).toBe(0);
  });
});
