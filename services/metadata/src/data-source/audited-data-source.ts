import { createHash } from 'node:crypto';
import type { AuditRecord } from '#libs/database';
import type { DataSourceEntity } from './data-source.entity.js';

/** A source as the audit log shows it: of its secrets only which there are, and whether they are still the same ones. */
export function auditedOf(row: DataSourceEntity): object {
  const { name, type, options, paused, maxConcurrentExecutions, cacheTtlSeconds, timeoutSeconds } = row;
  return {
    ...{ name, type, options, paused, maxConcurrentExecutions, cacheTtlSeconds, timeoutSeconds },
    sealedOptions: row.secretNames,
    sealedOptionsPrint: row.ciphertext && createHash('sha256').update(row.ciphertext).digest('hex').slice(0, 16),
  };
}

export function targetOf({ id, name, workspaceId }: DataSourceEntity): Pick<AuditRecord, 'target' | 'workspaceId'> {
  return { workspaceId, target: { type: 'data_source', id, name } };
}
