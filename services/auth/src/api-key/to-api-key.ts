import type { ApiKey } from '#libs/contracts';
import type { ApiKeyRow } from './api-key.repository.js';

export function toApiKey(row: ApiKeyRow): ApiKey {
  const { id, name, prefix, permissions, dataSourceIds, savedQueryIds, networks, createdAt, expiresAt, lastUsedAt } =
    row;
  return {
    ...{ id, name, prefix, createdAt },
    ...(permissions ? { permissions: { values: permissions } } : {}),
    ...(dataSourceIds ? { dataSourceIds: { values: dataSourceIds } } : {}),
    ...(savedQueryIds ? { savedQueryIds: { values: savedQueryIds } } : {}),
    ...(networks ? { networks: { values: networks } } : {}),
    ...(expiresAt ? { expiresAt } : {}),
    ...(lastUsedAt ? { lastUsedAt } : {}),
  };
}
