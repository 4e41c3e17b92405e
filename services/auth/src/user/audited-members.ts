/** As many ids of a change of members stand in its audit entry; the rest is counted. */
const auditedIdsMax = 40;

/** Who came or went, for the audit log. */
export function membersOf(name: 'added' | 'removed', ids: readonly string[]): object {
  return ids.length === 0 ? {} : { [`${name}Members`]: ids.slice(0, auditedIdsMax), [`${name}Count`]: ids.length };
}
