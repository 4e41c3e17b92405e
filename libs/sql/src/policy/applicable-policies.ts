import type { PolicyCaller, RowPolicy } from './policy-types.js';

/**
 * The policies that narrow what a caller sees. Without a caller nobody is exempt and everyone a member: all apply.
 * Whoever is in none of a policy's groups is not touched by it, as the contract says of them.
 */
export function applicablePolicies(
  policies: readonly RowPolicy[],
  caller: PolicyCaller | undefined,
): readonly RowPolicy[] {
  if (!caller) return policies;
  const groups = new Set(caller.groupNames);
  const isIn = (names: readonly string[]): boolean => names.some((name) => groups.has(name));
  return policies.filter(
    ({ groupNames, exemptGroupNames }) => !isIn(exemptGroupNames) && (groupNames.length === 0 || isIn(groupNames)),
  );
}

/** Groups to be joined by `and`, whose members are joined by `or`. */
export function combinePolicies(policies: readonly RowPolicy[]): readonly (readonly RowPolicy[])[] {
  const groups = new Map<string, RowPolicy[]>();
  for (const policy of policies) {
    const key = policy.key === null ? `id:${policy.id}` : `key:${policy.key}`;
    const group = groups.get(key);
    if (group) group.push(policy);
    else groups.set(key, [policy]);
  }
  return [...groups.values()];
}
