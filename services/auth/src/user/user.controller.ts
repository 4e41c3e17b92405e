import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { authRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, AllowAuthenticated, AllowService, principalOf } from '#libs/identity';
import { UserService } from './user.service.js';

@Controller()
export class UserController {
  constructor(private readonly service: UserService) {}

  /** Names are for everyone of the workspace; what is private in a user is left out for who may not read it. */
  @HandlesRequest(authRequests.getUsers)
  @AllowAuthenticated()
  async getUsers(
    @Payload() { ids }: RequestOf<typeof authRequests.getUsers>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof authRequests.getUsers>> {
    return { users: await this.service.get(ids, principalOf(context)) };
  }

  @HandlesRequest(authRequests.listUsers)
  @Allow('user.read')
  async listUsers(
    @Payload() input: RequestOf<typeof authRequests.listUsers>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof authRequests.listUsers>> {
    return this.service.list(input, principalOf(context));
  }

  @HandlesRequest(authRequests.createUser)
  @Allow('user.manage')
  async createUser(
    @Payload() input: RequestOf<typeof authRequests.createUser>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof authRequests.createUser>> {
    return this.service.create(input, principalOf(context));
  }

  @HandlesRequest(authRequests.updateUser)
  @Allow('user.manage')
  async updateUser(
    @Payload() input: RequestOf<typeof authRequests.updateUser>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof authRequests.updateUser>> {
    return { user: await this.service.update(input, principalOf(context)) };
  }

  @HandlesRequest(authRequests.listUserRights)
  @AllowService('orchestrator')
  async listUserRights(
    @Payload() { workspaceId, userIds }: RequestOf<typeof authRequests.listUserRights>,
  ): Promise<ResponseOf<typeof authRequests.listUserRights>> {
    return { users: await this.service.rightsOf(workspaceId, userIds) };
  }
}
