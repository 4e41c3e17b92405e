import type { RowPolicy } from '#libs/contracts';
import type { RowPolicyEntity } from './row-policy.entity.js';

export function toRowPolicy(row: RowPolicyEntity): RowPolicy {
  const { id, name, dataSourceId, table, groupNames, exemptGroupNames, key, predicate, masks, enabled, version } = row;
  return {
    ...{ id, name, dataSourceId, groupNames, exemptGroupNames, predicate, masks, enabled, version },
    ...(table === null ? {} : { table }),
    ...(key === null ? {} : { key }),
  };
}
