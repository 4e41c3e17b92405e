import { newId, type IdKind } from '#libs/kernel';
import { until } from '#libs/testing';
import type { ApiClient } from './api-client.js';
import { newDataSource } from './data-sources.js';
import { runToEnd } from './executions.js';
import { newGrant } from './grants.js';
import { newApiKey, newPerson } from './people.js';
import { newRowPolicy } from './row-policies.js';
import type { RunningMesh } from './running-mesh.js';
import { newSavedQuery } from './saved-queries.js';
import { unique } from './slow-queries.js';

export type NamedThings = ReadonlyMap<IdKind, string>;

/** One that was not made is a fault of the test: an id at random is found nowhere, whatever is kept apart. */
export function idIn(things: NamedThings, kind: IdKind): string {
  const id = things.get(kind);
  if (id === undefined) throw new Error(`no ${kind} was made`);
  return id;
}

/** One thing of each kind that callers can name, in the workspace of the mesh's administrator. */
export async function newNamedThings(mesh: RunningMesh): Promise<NamedThings> {
  const { client: owner, user } = await newPerson(mesh.admin, 'admin');
  const source = await newDataSource(mesh.admin, 'postgres', { ...mesh.access.reader, ssl: { mode: 'disable' } });
  const { id: savedQuery } = await newSavedQuery(mesh.admin, source.id, 'select 1');
  const { id: webhook, delivery } = await newDelivery(mesh.admin, savedQuery);
  return new Map<IdKind, string>([
    ['user', user.id],
    ['session', await sessionOf(owner)],
    ['apiKey', (await newApiKey(owner)).id],
    ['dataSource', source.id],
    ['savedQuery', savedQuery],
    ['execution', (await runToEnd(mesh.admin, source.id, unique('select 1'))).id],
    ['rowPolicy', (await newRowPolicy(mesh.admin, source.id, 'true', { enabled: false })).id],
    ['grant', await newGrant(mesh.admin, { assetId: savedQuery, groupName: 'west', level: 'RUN' })],
    ['webhook', webhook],
    ['webhookDelivery', delivery],
    ...(await made(mesh.admin)),
  ]);
}

async function sessionOf(person: ApiClient): Promise<string> {
  const { sessions } = await person.request<{ sessions: { nodes: { id: string }[] } }>(
    '{ sessions(first: 1) { nodes { id } } }',
  );
  const [session] = sessions.nodes;
  if (!session) throw new Error('who is signed in has no session');
  return session.id;
}

/** What nothing but its own mutation is needed for. */
const mutations = {
  group: 'createGroup(input: { name: $name }) { made: group { id } errors { code message } }',
  role: 'createRole(input: { name: $name, permissions: [] }) { made: role { id } errors { code message } }',
  serviceAccount:
    'createServiceAccount(input: { name: $name, roleNames: [] }) { made: serviceAccount { id } errors { code message } }',
  auditForwarder:
    'createAuditForwarder(input: { name: $name, url: "https://log.example.com/x" }) { made: forwarder { id } errors { code message } }',
  identityProvider: `createIdentityProvider(input: { name: $name, kind: OIDC, enabled: false,
    options: { issuer: "https://idp.example.com", clientId: "ours" } }) { made: identityProvider { id } errors { code message } }`,
} satisfies Partial<Record<IdKind, string>>;

async function made(admin: ApiClient): Promise<[IdKind, string][]> {
  const name = `ours ${newId('role')}`;
  return Promise.all(
    Object.entries(mutations).map(async ([kind, field]): Promise<[IdKind, string]> => {
      const { payload } = await admin.request<{ payload: { made: { id: string } | null; errors: object[] } }>(
        `mutation ($name: String!) { payload: ${field} }`,
        { name },
      );
      if (!payload.made) throw new Error(`no ${kind} was made: ${JSON.stringify(payload.errors)}`);
      // The keys of the table are kinds.
      return [kind as IdKind, payload.made.id];
    }),
  );
}

/** A webhook that tells of one saved query, which has been run; nothing listens where it sends to. */
async function newDelivery(admin: ApiClient, savedQueryId: string): Promise<{ id: string; delivery: string }> {
  const { createWebhook } = await admin.request<{
    createWebhook: { webhook: { id: string } | null; errors: object[] };
  }>(
    `mutation ($savedQueryId: ID!) {
       createWebhook(input: { name: "ours", url: "http://127.0.0.1:9/", savedQueryIds: [$savedQueryId] }) {
         webhook { id } errors { code message } } }`,
    { savedQueryId },
  );
  if (!createWebhook.webhook) throw new Error(`no webhook was made: ${JSON.stringify(createWebhook.errors)}`);
  const { id } = createWebhook.webhook;
  await admin.request(
    'mutation ($id: ID!) { runQuery(input: { query: { savedQuery: { id: $id } } }) { errors { code } } }',
    { id: savedQueryId },
  );
  const delivery = await until(
    async () => {
      const { webhookDeliveries } = await admin.request<{ webhookDeliveries: { nodes: { id: string }[] } }>(
        'query ($id: ID!) { webhookDeliveries(webhookId: $id, first: 1) { nodes { id } } }',
        { id },
      );
      return webhookDeliveries.nodes[0]?.id;
    },
    { what: 'a delivery' },
  );
  return { id, delivery };
}
