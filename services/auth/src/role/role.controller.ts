import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { roleRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, principalOf } from '#libs/identity';
import { RoleService } from './role.service.js';

@Controller()
export class RoleController {
  constructor(private readonly service: RoleService) {}

  /** Whoever gives roles must know what they allow. */
  @HandlesRequest(roleRequests.getRoles)
  @Allow('role.manage', 'user.read')
  async getRoles(
    @Payload() { ids }: RequestOf<typeof roleRequests.getRoles>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof roleRequests.getRoles>> {
    return { roles: await this.service.get(ids, principalOf(context)) };
  }

  @HandlesRequest(roleRequests.listRoles)
  @Allow('role.manage', 'user.read')
  async listRoles(
    @Payload() input: RequestOf<typeof roleRequests.listRoles>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof roleRequests.listRoles>> {
    return this.service.list(input, principalOf(context));
  }

  @HandlesRequest(roleRequests.createRole)
  @Allow('role.manage')
  async createRole(
    @Payload() input: RequestOf<typeof roleRequests.createRole>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof roleRequests.createRole>> {
    return { role: await this.service.create(input, principalOf(context)) };
  }

  @HandlesRequest(roleRequests.updateRole)
  @Allow('role.manage')
  async updateRole(
    @Payload() input: RequestOf<typeof roleRequests.updateRole>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof roleRequests.updateRole>> {
    return { role: await this.service.update(input, principalOf(context)) };
  }

  @HandlesRequest(roleRequests.deleteRole)
  @Allow('role.manage')
  async deleteRole(
    @Payload() { id }: RequestOf<typeof roleRequests.deleteRole>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof roleRequests.deleteRole>> {
    await this.service.delete(id, principalOf(context));
    return { id };
  }
}
