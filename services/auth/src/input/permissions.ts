import { isPermission, permissionNames, type Permission } from '#libs/identity';
import type { Issues } from './issues.js';

/** Permissions that somebody gives, who gives none that they do not have. */
export function checkPermissions(
  names: readonly string[],
  given: ReadonlySet<Permission>,
  issues: Issues,
): readonly Permission[] {
  for (const [index, name] of names.entries()) {
    const path = ['permissions', String(index)];
    if (!isPermission(name)) {
      const unknown = JSON.stringify(name.slice(0, 100));
      issues.add(path, `There is no permission ${unknown}. Permissions are ${permissionNames.join(', ')}.`);
    } else if (!given.has(name)) issues.forbid(path, `You do not have the permission ${name} yourself.`);
  }
  return [...new Set(names.filter(isPermission))];
}
