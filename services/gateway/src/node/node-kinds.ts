import { idKindOf, siblingId, type IdKind } from '#libs/kernel';
import type { RequestContext } from '../request/request-context.js';
import { resultOf } from '../results/result-view.js';

export interface NodeLike {
  readonly id: string;
  readonly name?: string;
}

interface NodeKind {
  readonly typeName: string;
  load(id: string, context: RequestContext): Promise<NodeLike | null>;
}

/** An id alone tells what it names, and so which service to ask. Kinds without a row are no nodes. */
const nodeKinds: Partial<Record<IdKind, NodeKind>> = {
  workspace: { typeName: 'Workspace', load: (id, { loaders }) => loaders.workspaces.load(id) },
  user: { typeName: 'User', load: (id, { loaders }) => loaders.users.load(id) },
  serviceAccount: { typeName: 'ServiceAccount', load: (id, { loaders }) => loaders.serviceAccounts.load(id) },
  // There is nothing to be read of a guest but who it is.
  guest: { typeName: 'Guest', load: async () => null },
  apiKey: { typeName: 'ApiKey', load: (id, { loaders }) => loaders.apiKeys.load(id) },
  identityProvider: { typeName: 'IdentityProvider', load: (id, { loaders }) => loaders.identityProviders.load(id) },
  dataSource: { typeName: 'DataSource', load: (id, { loaders }) => loaders.dataSources.load(id) },
  savedQuery: { typeName: 'SavedQuery', load: (id, { loaders }) => loaders.savedQueries.load(id) },
  grant: { typeName: 'Grant', load: (id, { loaders }) => loaders.grants.load(id) },
  group: { typeName: 'Group', load: (id, { loaders }) => loaders.groups.load(id) },
  role: { typeName: 'Role', load: (id, { loaders }) => loaders.roles.load(id) },
  rowPolicy: { typeName: 'RowPolicy', load: (id, { loaders }) => loaders.rowPolicies.load(id) },
  webhook: { typeName: 'Webhook', load: (id, { loaders }) => loaders.webhooks.load(id) },
  webhookDelivery: { typeName: 'WebhookDelivery', load: (id, { loaders }) => loaders.webhookDeliveries.load(id) },
  execution: { typeName: 'Execution', load: (id, { loaders }) => loaders.executions.load(id) },
  result: {
    typeName: 'Result',
    load: async (id, { loaders }) => {
      const execution = await loaders.executions.load(siblingId('execution', id));
      return execution && resultOf(execution, loaders.manifests);
    },
  },
};

const assetKinds: readonly (IdKind | undefined)[] = ['dataSource', 'savedQuery'];

export function typeNameOf(id: string): string | undefined {
  return kindOf(id)?.typeName;
}

/** Null: unknown, or not the caller's to see. */
export async function loadNode(id: string, context: RequestContext): Promise<NodeLike | null> {
  return (await kindOf(id)?.load(id, context)) ?? null;
}

/** Who has done something. */
export async function loadActor(id: string, context: RequestContext): Promise<NodeLike | null> {
  return idKindOf(id) === 'guest' ? { id, name: 'Guest' } : loadNode(id, context);
}

/** The same for what grants are given on. */
export async function loadAsset(id: string, context: RequestContext): Promise<NodeLike | null> {
  return assetKinds.includes(idKindOf(id)) ? loadNode(id, context) : null;
}

function kindOf(id: string): NodeKind | undefined {
  const kind = idKindOf(id);
  return kind && nodeKinds[kind];
}
