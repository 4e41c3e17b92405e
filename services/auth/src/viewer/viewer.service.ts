import { Injectable } from '@nestjs/common';
import type { authRequests, ResponseOf } from '#libs/contracts';
import type { Principal } from '#libs/identity';
import { toUser } from '../user/to-user.js';
import { UserService } from '../user/user.service.js';
import { WorkspaceService } from '../workspace/workspace.service.js';

/** Who the caller is and what it may do. */
@Injectable()
export class ViewerService {
  constructor(
    private readonly users: UserService,
    private readonly workspaces: WorkspaceService,
  ) {}

  async get(caller: Principal): Promise<ResponseOf<typeof authRequests.getViewer>> {
    const { guest } = caller;
    if (guest) {
      const [workspace, permissions] = [await this.workspaces.getOwn(caller), [...caller.permissions]];
      return { id: caller.userId, workspace, permissions, attributes: guest.attributes };
    }
    const [row, workspace] = await Promise.all([this.users.getSelf(caller), this.workspaces.getOwn(caller)]);
    return {
      // An API key may do less than its maker, so its caches are not its maker's.
      id: caller.apiKeyId ?? caller.userId,
      ...(row.email === null ? {} : { user: toUser(row, caller) }),
      workspace,
      permissions: [...caller.permissions],
      attributes: row.attributes,
    };
  }
}
