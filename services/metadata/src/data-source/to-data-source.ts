import type { DataSource, SourceConnection } from '#libs/contracts';
import type { Caller } from '../caller.js';
import type { DataSourceEntity } from './data-source.entity.js';

/** A source as callers see it. The secrets are not among the options, and no caller sees their ciphertext either. */
export function toDataSource(row: DataSourceEntity, { permissions }: Pick<Caller, 'permissions'>): DataSource {
  return {
    id: row.id,
    name: row.name,
    type: row.type,
    ...(permissions.has('data_source.manage') ? { options: row.options } : {}),
    ...(row.schemaRefreshedAt ? { schemaRefreshedAt: row.schemaRefreshedAt } : {}),
    maxConcurrentExecutions: row.maxConcurrentExecutions,
    paused: row.paused,
    ...(row.cacheTtlSeconds === null ? {} : { cacheTtlSeconds: row.cacheTtlSeconds }),
    ...(row.timeoutSeconds === null ? {} : { timeoutSeconds: row.timeoutSeconds }),
    version: row.version,
    createdAt: row.createdAt,
  };
}

/** How services reach a source: with its secrets as ciphertext, which only a holder of the master key can open. */
export function toConnection(row: DataSourceEntity): SourceConnection {
  const { id, workspaceId, name, type, version, options, maxConcurrentExecutions, paused } = row;
  const { masterKeyId, wrappedKey, ciphertext, cacheTtlSeconds, timeoutSeconds } = row;
  return {
    ...{ id, workspaceId, name, type, version, options, maxConcurrentExecutions, paused },
    ...(cacheTtlSeconds === null ? {} : { cacheTtlSeconds }),
    ...(timeoutSeconds === null ? {} : { timeoutSeconds }),
    ...(masterKeyId !== null && wrappedKey && ciphertext ? { secrets: { masterKeyId, wrappedKey, ciphertext } } : {}),
  };
}
