import { permissionNames, type Permission } from './permissions.js';

const viewer = ['saved_query.read', 'saved_query.run', 'api_key.manage'] as const;
const analyst = [...viewer, 'data_source.read', 'query.run', 'saved_query.manage'] as const;
const editor = [...analyst, 'expensive_query.run', 'execution.read', 'cache.invalidate', 'row_policy.read'] as const;

/** The roles, each a named set of permissions; each holds all of the one before. */
export const roles = {
  viewer,
  analyst,
  editor,
  admin: permissionNames,
} as const satisfies Record<string, readonly Permission[]>;

export type RoleName = keyof typeof roles;

export function isRoleName(name: string): name is RoleName {
  return Object.hasOwn(roles, name);
}

/** All that the roles allow together, in the order of the table. A name that is no role allows nothing. */
export function permissionsOfRoles(names: readonly string[]): ReadonlySet<Permission> {
  const allowed = new Set<Permission>(names.filter(isRoleName).flatMap((name) => [...roles[name]]));
  return new Set(permissionNames.filter((permission) => allowed.has(permission)));
}
