import type { ApiKey } from '#libs/contracts';
import type { ApiKeyRow } from './api-key.repository.js';

export function toApiKey({ id, name, prefix, permissions, createdAt, expiresAt, lastUsedAt }: ApiKeyRow): ApiKey {
  return {
    ...{ id, name, prefix, createdAt },
    ...(permissions ? { permissions: { values: permissions } } : {}),
    ...(expiresAt ? { expiresAt } : {}),
    ...(lastUsedAt ? { lastUsedAt } : {}),
  };
}
