import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { scimRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, principalOf } from '#libs/identity';
import { ScimGroupService } from './scim-group.service.js';
import { ScimUserService } from './scim-user.service.js';

type Requests = typeof scimRequests;

@Controller()
export class ScimController {
  constructor(
    private readonly users: ScimUserService,
    private readonly groups: ScimGroupService,
  ) {}

  @HandlesRequest(scimRequests.listScimUsers)
  @Allow('scim.manage')
  async listScimUsers(
    @Payload() input: RequestOf<Requests['listScimUsers']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['listScimUsers']>> {
    return this.users.list(input, principalOf(context));
  }

  @HandlesRequest(scimRequests.createScimUser)
  @Allow('scim.manage')
  async createScimUser(
    @Payload() input: RequestOf<Requests['createScimUser']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['createScimUser']>> {
    return { user: await this.users.create(input, principalOf(context)) };
  }

  @HandlesRequest(scimRequests.replaceScimUser)
  @Allow('scim.manage')
  async replaceScimUser(
    @Payload() input: RequestOf<Requests['replaceScimUser']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['replaceScimUser']>> {
    return { user: await this.users.replace(input, principalOf(context)) };
  }

  @HandlesRequest(scimRequests.deleteScimUser)
  @Allow('scim.manage')
  async deleteScimUser(
    @Payload() input: RequestOf<Requests['deleteScimUser']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['deleteScimUser']>> {
    await this.users.delete(input, principalOf(context));
    return {};
  }

  @HandlesRequest(scimRequests.listScimGroups)
  @Allow('scim.manage')
  async listScimGroups(
    @Payload() input: RequestOf<Requests['listScimGroups']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['listScimGroups']>> {
    return this.groups.list(input, principalOf(context));
  }

  @HandlesRequest(scimRequests.listScimMembers)
  @Allow('scim.manage')
  async listScimMembers(
    @Payload() input: RequestOf<Requests['listScimMembers']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['listScimMembers']>> {
    return this.groups.members(input, principalOf(context));
  }

  @HandlesRequest(scimRequests.createScimGroup)
  @Allow('scim.manage')
  async createScimGroup(
    @Payload() input: RequestOf<Requests['createScimGroup']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['createScimGroup']>> {
    return { group: await this.groups.create(input, principalOf(context)) };
  }

  @HandlesRequest(scimRequests.patchScimGroup)
  @Allow('scim.manage')
  async patchScimGroup(
    @Payload() input: RequestOf<Requests['patchScimGroup']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['patchScimGroup']>> {
    return { group: await this.groups.patch(input, principalOf(context)) };
  }

  @HandlesRequest(scimRequests.deleteScimGroup)
  @Allow('scim.manage')
  async deleteScimGroup(
    @Payload() input: RequestOf<Requests['deleteScimGroup']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['deleteScimGroup']>> {
    await this.groups.delete(input, principalOf(context));
    return {};
  }
}
