import { isPermission, permissionNames, permissionsOfRoles, type Permission } from '#libs/identity';
import type { UserRow } from '../user/user.types.js';

/** All that a user's roles allow together, the built-in and the custom ones, in the order of the table. */
export function permissionsOf({
  roleNames,
  customPermissions,
}: Pick<UserRow, 'roleNames' | 'customPermissions'>): ReadonlySet<Permission> {
  const allowed = new Set<Permission>([...permissionsOfRoles(roleNames), ...customPermissions.filter(isPermission)]);
  return new Set(permissionNames.filter((permission) => allowed.has(permission)));
}
