import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { authRequests, groupRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, AllowService, principalOf } from '#libs/identity';
import { GroupService } from './group.service.js';
import { ManagedGroupService } from './managed-group.service.js';

type Requests = typeof groupRequests;

@Controller()
export class GroupController {
  constructor(
    private readonly service: GroupService,
    private readonly managed: ManagedGroupService,
  ) {}

  @HandlesRequest(authRequests.ensureGroups)
  @AllowService('metadata')
  async ensureGroups(
    @Payload() { workspaceId, names }: RequestOf<typeof authRequests.ensureGroups>,
  ): Promise<ResponseOf<typeof authRequests.ensureGroups>> {
    await this.service.ensure(workspaceId, names);
    return {};
  }

  /** Whoever changes a group must know which it is. */
  @HandlesRequest(groupRequests.getGroups)
  @Allow('user.read', 'user.manage')
  async getGroups(
    @Payload() { ids }: RequestOf<Requests['getGroups']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['getGroups']>> {
    return { groups: await this.managed.get(ids, principalOf(context)) };
  }

  @HandlesRequest(groupRequests.listGroups)
  @Allow('user.read')
  async listGroups(
    @Payload() input: RequestOf<Requests['listGroups']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['listGroups']>> {
    return this.managed.list(input, principalOf(context));
  }

  @HandlesRequest(groupRequests.listGroupMembers)
  @Allow('user.read')
  async listGroupMembers(
    @Payload() input: RequestOf<Requests['listGroupMembers']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['listGroupMembers']>> {
    return this.managed.members(input, principalOf(context));
  }

  @HandlesRequest(groupRequests.createGroup)
  @Allow('user.manage')
  async createGroup(
    @Payload() input: RequestOf<Requests['createGroup']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['createGroup']>> {
    return { group: await this.managed.create(input, principalOf(context)) };
  }

  @HandlesRequest(groupRequests.changeGroupMembers)
  @Allow('user.manage')
  async changeGroupMembers(
    @Payload() input: RequestOf<Requests['changeGroupMembers']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['changeGroupMembers']>> {
    return { group: await this.managed.changeMembers(input, principalOf(context)) };
  }

  @HandlesRequest(groupRequests.deleteGroup)
  @Allow('user.manage')
  async deleteGroup(
    @Payload() { id }: RequestOf<Requests['deleteGroup']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['deleteGroup']>> {
    await this.managed.delete(id, principalOf(context));
    return { id };
  }
}
