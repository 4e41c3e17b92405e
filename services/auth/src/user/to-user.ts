import type { User } from '#libs/contracts';
import type { Principal } from '#libs/identity';
import type { UserRow } from './user.types.js';

/** A user as this caller may see it. */
export function toUser(row: UserRow, caller: Principal): User {
  const { id, name, disabled, version, createdAt } = row;
  const privateReadable = id === caller.userId || caller.permissions.has('user.read');
  return {
    ...{ id, name, disabled, version, createdAt, privateReadable },
    email: privateReadable ? (row.email ?? '') : '',
    roleNames: privateReadable ? row.roleNames : [],
    groupNames: privateReadable ? row.groupNames : [],
    ...(privateReadable ? { attributes: row.attributes } : {}),
  };
}
