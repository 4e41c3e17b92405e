import { Query, ResolveField, Resolver } from '@nestjs/graphql';
import { idKindOf, siblingId, type IdKind } from '#libs/kernel';
import type { RequestContext } from '../request/request-context.js';
import { resultOf } from '../results/result-view.js';

interface NodeLike {
  readonly id: string;
}

interface NodeKind {
  readonly typeName: string;
  load(id: string, context: RequestContext): Promise<NodeLike | null>;
}

/** An id alone tells what it names, and so which service to ask. Kinds without a row are no nodes. */
const nodeKinds: Partial<Record<IdKind, NodeKind>> = {
  workspace: { typeName: 'Workspace', load: (id, { loaders }) => loaders.workspaces.load(id) },
  user: { typeName: 'User', load: (id, { loaders }) => loaders.users.load(id) },
  apiKey: { typeName: 'ApiKey', load: (id, { loaders }) => loaders.apiKeys.load(id) },
  identityProvider: {
    typeName: 'IdentityProvider',
    load: (id, { loaders }) => loaders.identityProviders.load(id),
  },
  dataSource: { typeName: 'DataSource', load: (id, { loaders }) => loaders.dataSources.load(id) },
  savedQuery: { typeName: 'SavedQuery', load: (id, { loaders }) => loaders.savedQueries.load(id) },
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

function kindOf(id: string): NodeKind | undefined {
  const kind = idKindOf(id);
  return kind && nodeKinds[kind];
}

@Resolver('Node')
export class NodeResolver {
  @Query('node')
  async node(_root: unknown, { id }: NodeLike, context: RequestContext): Promise<NodeLike | null> {
    void context.caller;
    return (await kindOf(id)?.load(id, context)) ?? null;
  }

  @ResolveField('__resolveType')
  resolveType({ id }: NodeLike): string | undefined {
    return kindOf(id)?.typeName;
  }
}

@Resolver('Actor')
export class ActorResolver {
  @ResolveField('__resolveType')
  resolveType({ id }: NodeLike): string | undefined {
    return kindOf(id)?.typeName;
  }
}
