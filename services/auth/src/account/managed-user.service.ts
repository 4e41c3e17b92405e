import { Injectable } from '@nestjs/common';
import type { Principal } from '#libs/identity';
import { AppError } from '#libs/kernel';
import { permissionsOf } from '../role/permissions-of.js';
import type { Transaction } from '../transaction/transaction.repository.js';
import { UserRepository } from '../user/user.repository.js';
import type { UserRow } from '../user/user.types.js';

/** The users whom a caller may manage: who may do more than he is not among them, or managing would be taking over. */
@Injectable()
export class ManagedUserService {
  constructor(private readonly users: UserRepository) {}

  /**
   * The user, whom nobody changes until the transaction ends.
   * @param field of the input, where the user is named
   * @throws AppError `auth.user_not_found`, `auth.forbidden`
   */
  async lock(
    transaction: Transaction,
    userId: string,
    { workspaceId, permissions }: Principal,
    field: 'userId' | 'id' = 'userId',
  ): Promise<UserRow> {
    const user = await this.users.lock(transaction, { workspaceId, id: userId }, field);
    if ([...permissionsOf(user)].some((permission) => !permissions.has(permission))) {
      throw new AppError('auth.forbidden', 'This user has permissions that you do not have.', { path: [field] });
    }
    return user;
  }
}
