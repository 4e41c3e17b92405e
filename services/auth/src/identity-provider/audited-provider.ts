import type { AuditRecord } from '#libs/database';
import type { JsonObject } from '#libs/kernel';
import type { ProviderRow } from './identity-provider.types.js';

/** For the audit log, in the transaction of the change. Of secrets only which there are. */
export function auditedProvider(
  verb: 'created' | 'updated' | 'deleted',
  before: ProviderRow | undefined,
  after: ProviderRow | undefined,
): AuditRecord {
  const row = after ?? before;
  if (!row) throw new Error('a change has a side');
  return {
    action: `identity_provider.${verb}`,
    target: { type: 'identity_provider', id: row.id },
    workspaceId: row.workspaceId,
    ...(before ? { before: sideOf(before) } : {}),
    ...(after ? { after: sideOf(after) } : {}),
  };
}

function sideOf({ name, kind, enabled, options, secretNames, emailDomains, rules }: ProviderRow): JsonObject {
  return { name, kind, enabled, options, secretNames, emailDomains, rules: { ...rules } };
}
