import DataLoader from 'dataloader';
import {
  accessRequests,
  authRequests,
  identityProviderRequests,
  groupRequests,
  metadataRequests,
  resultsRequests,
  roleRequests,
  runRequests,
  serviceAccountRequests,
  webhookRequests,
  type ApiKey,
  type AssetAccess,
  type DataSource,
  type Execution,
  type Grant,
  type Group,
  type IdentityProvider,
  type Manifest,
  type RequestContract,
  type Role,
  type RowPolicy,
  type SavedQuery,
  type ServiceAccount,
  type User,
  type Webhook,
  type WebhookDelivery,
  type Workspace,
} from '#libs/contracts';
import { AppError } from '#libs/kernel';

/** One request to a service for all things of a kind that an operation needs. Null: unknown, or not the caller's to see. */
export interface Loaders {
  readonly users: Loader<User>;
  readonly workspaces: Loader<Workspace>;
  readonly apiKeys: Loader<ApiKey>;
  readonly identityProviders: Loader<IdentityProvider>;
  readonly dataSources: Loader<DataSource>;
  readonly savedQueries: Loader<SavedQuery>;
  readonly assetAccess: Loader<AssetAccess>;
  readonly grants: Loader<Grant>;
  readonly groups: Loader<Group>;
  readonly roles: Loader<Role>;
  readonly serviceAccounts: Loader<ServiceAccount>;
  readonly rowPolicies: Loader<RowPolicy>;
  readonly webhooks: Loader<Webhook>;
  readonly webhookDeliveries: Loader<WebhookDelivery>;
  readonly executions: Loader<Execution>;
  /** By the run's id, without the rows that may lie in them. */
  readonly manifests: Loader<Manifest>;
  /** By the run's id, with the rows of small results. */
  readonly manifestsWithRows: Loader<Manifest>;
}

type Loader<T> = DataLoader<string, T | null>;

/** Who asks the services on behalf of the caller. */
interface Asker {
  ask<Request, Response>(contract: RequestContract<Request, Response>, input: Request): Promise<Response>;
}

export function createLoaders(context: Asker): Loaders {
  const manifests = (withoutRows: boolean): Loader<Manifest> =>
    loader(
      async (runIds) => (await context.ask(resultsRequests.getManifests, { runIds, withoutRows })).manifests,
      (manifest) => manifest.runId,
    );
  return {
    users: loader(async (ids) => (await context.ask(authRequests.getUsers, { ids })).users, idOf),
    workspaces: loader(async (ids) => (await context.ask(authRequests.getWorkspaces, { ids })).workspaces, idOf),
    apiKeys: loader(async (ids) => (await context.ask(authRequests.getApiKeys, { ids })).apiKeys, idOf),
    identityProviders: loader(
      async (ids) => (await context.ask(identityProviderRequests.getIdentityProviders, { ids })).identityProviders,
      idOf,
    ),
    dataSources: loader(async (ids) => (await context.ask(metadataRequests.getDataSources, { ids })).dataSources, idOf),
    savedQueries: loader(
      async (ids) => (await context.ask(metadataRequests.getSavedQueries, { ids })).savedQueries,
      idOf,
    ),
    assetAccess: loader(
      async (assetIds) => (await context.ask(accessRequests.getAssetAccess, { assetIds })).assets,
      (access) => access.assetId,
    ),
    grants: loader(async (ids) => (await context.ask(accessRequests.getGrants, { ids })).grants, idOf),
    serviceAccounts: loader(
      async (ids) => (await context.ask(serviceAccountRequests.getServiceAccounts, { ids })).serviceAccounts,
      idOf,
    ),
    groups: loader(async (ids) => (await context.ask(groupRequests.getGroups, { ids })).groups, idOf),
    roles: loader(async (ids) => (await context.ask(roleRequests.getRoles, { ids })).roles, idOf),
    rowPolicies: loader(async (ids) => (await context.ask(metadataRequests.getRowPolicies, { ids })).rowPolicies, idOf),
    webhooks: loader(async (ids) => (await context.ask(webhookRequests.getWebhooks, { ids })).webhooks, idOf),
    webhookDeliveries: loader(
      async (ids) => (await context.ask(webhookRequests.getWebhookDeliveries, { ids })).deliveries,
      idOf,
    ),
    executions: loader(async (ids) => (await context.ask(runRequests.getExecutions, { ids })).executions, idOf),
    manifests: manifests(true),
    manifestsWithRows: manifests(false),
  };
}

/** Services answer at most this many in one request. */
const batchMax = 100;

function idOf({ id }: { readonly id: string }): string {
  return id;
}

function loader<T>(fetch: (ids: string[]) => Promise<readonly T[]>, keyOf: (item: T) => string): Loader<T> {
  return new DataLoader(
    async (ids) => {
      const found = new Map((await fetchPermitted(fetch, [...ids])).map((item) => [keyOf(item), item]));
      return ids.map((id) => found.get(id) ?? null);
    },
    { maxBatchSize: batchMax },
  );
}

/** What may not be seen looks like what is not there. */
async function fetchPermitted<T>(
  fetch: (ids: string[]) => Promise<readonly T[]>,
  ids: string[],
): Promise<readonly T[]> {
  try {
    return await fetch(ids);
  } catch (error) {
    if (error instanceof AppError && error.code === 'auth.forbidden') return [];
    throw error;
  }
}
