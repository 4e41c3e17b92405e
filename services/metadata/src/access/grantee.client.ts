import { Injectable } from '@nestjs/common';
import { BusClient, type MessageContext } from '#libs/bus';
import { authRequests, serviceAccountRequests, type Grantee } from '#libs/contracts';
import { AppError, isId } from '#libs/kernel';
import { GroupClient } from '../row-policy/group.client.js';

const groupNameMax = 200;

/** Users and groups, which auth owns. */
@Injectable()
export class GranteeClient {
  constructor(
    private readonly bus: BusClient,
    private readonly groups: GroupClient,
  ) {}

  /**
   * A user whom the caller's workspace knows, or a group, which is made where nobody has named it yet.
   * @throws AppError `auth.user_not_found`
   */
  async known(grantee: Grantee | undefined, context: MessageContext): Promise<Grantee> {
    switch (grantee?.kind) {
      case 'USER':
        if (await this.isThere(grantee.key, context)) return grantee;
        throw new AppError('auth.user_not_found', 'There is no such user.', { path: ['userId'] });
      case 'GROUP': {
        if (grantee.key === '' || grantee.key.length > groupNameMax) {
          throw new AppError('input.invalid', `A group's name has from 1 to ${groupNameMax} characters.`, {
            path: ['groupName'],
          });
        }
        await this.groups.ensure(context.workspaceId, [grantee.key]);
        return grantee;
      }
      default:
        throw new AppError('input.invalid', 'A grant is given to one user or to one group.', { path: ['userId'] });
    }
  }

  private async isThere(id: string, context: MessageContext): Promise<boolean> {
    const ids = [id];
    if (isId('user', id)) return (await this.bus.request(authRequests.getUsers, { ids }, { context })).users.length > 0;
    if (!isId('serviceAccount', id)) return false;
    const { serviceAccounts } = await this.bus.request(serviceAccountRequests.getServiceAccounts, { ids }, { context });
    return serviceAccounts.length > 0;
  }
}
