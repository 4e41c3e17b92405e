import type { Principal } from '#libs/identity';
import { AppError } from '#libs/kernel';
import { permissionsOf } from '../role/permissions-of.js';
import type { UserRow } from '../user/user.types.js';

/**
 * Nobody is given a key of one who may do more.
 * @param field of the input, where the one is named
 * @throws AppError `auth.forbidden`
 */
export function refuseStronger(owner: UserRow, { permissions }: Principal, field: string): void {
  if ([...permissionsOf(owner)].every((permission) => permissions.has(permission))) return;
  throw new AppError('auth.forbidden', 'This service account has permissions that you do not have.', {
    path: [field],
  });
}
