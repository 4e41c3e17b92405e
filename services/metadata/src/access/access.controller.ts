import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { accessRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, AllowAuthenticated, AllowService } from '#libs/identity';
import { callerOf } from '../caller.js';
import { GrantRepository } from './grant.repository.js';
import { GrantService } from './grant.service.js';
import { RestrictionRepository } from './restriction.repository.js';

@Controller()
export class AccessController {
  constructor(
    private readonly service: GrantService,
    private readonly restrictions: RestrictionRepository,
    private readonly grants: GrantRepository,
  ) {}

  @HandlesRequest(accessRequests.listRestrictions)
  @AllowService('orchestrator', 'gateway')
  async listRestrictions(
    @Payload() { workspaceId, knownRevision }: RequestOf<typeof accessRequests.listRestrictions>,
  ): Promise<ResponseOf<typeof accessRequests.listRestrictions>> {
    return this.restrictions.list(workspaceId, knownRevision);
  }

  /** Of what the caller reaches; nothing is told of the rest. */
  @HandlesRequest(accessRequests.getAssetAccess)
  @AllowAuthenticated()
  async getAssetAccess(
    @Payload() { assetIds }: RequestOf<typeof accessRequests.getAssetAccess>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof accessRequests.getAssetAccess>> {
    return { assets: await this.service.accessTo(assetIds, callerOf(context)) };
  }

  /** Which of the permissions it takes depends on the kind of the asset; the service asks for it. */
  @HandlesRequest(accessRequests.setRestricted)
  @Allow('data_source.manage', 'saved_query.manage', 'grant.manage')
  async setRestricted(
    @Payload() input: RequestOf<typeof accessRequests.setRestricted>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof accessRequests.setRestricted>> {
    return { access: await this.service.setRestricted(input, callerOf(context)) };
  }

  @HandlesRequest(accessRequests.getGrants)
  @Allow('data_source.manage', 'saved_query.manage', 'grant.manage')
  async getGrants(
    @Payload() { ids }: RequestOf<typeof accessRequests.getGrants>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof accessRequests.getGrants>> {
    return { grants: await this.service.get(ids, callerOf(context)) };
  }

  @HandlesRequest(accessRequests.listGrants)
  @Allow('data_source.manage', 'saved_query.manage', 'grant.manage')
  async listGrants(
    @Payload() input: RequestOf<typeof accessRequests.listGrants>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof accessRequests.listGrants>> {
    return this.service.list(input, callerOf(context));
  }

  /** Of policies and grants that the caller may not see it tells no more than that they stand in the way. */
  @HandlesRequest(accessRequests.getGroupUses)
  @Allow('user.manage')
  async getGroupUses(
    @Payload() { name }: RequestOf<typeof accessRequests.getGroupUses>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof accessRequests.getGroupUses>> {
    return this.grants.countUsesOf(name, callerOf(context).workspaceId);
  }

  @HandlesRequest(accessRequests.createGrant)
  @Allow('data_source.manage', 'saved_query.manage', 'grant.manage')
  async createGrant(
    @Payload() input: RequestOf<typeof accessRequests.createGrant>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof accessRequests.createGrant>> {
    return { grant: await this.service.create(input, callerOf(context), context) };
  }

  @HandlesRequest(accessRequests.deleteGrant)
  @Allow('data_source.manage', 'saved_query.manage', 'grant.manage')
  async deleteGrant(
    @Payload() { id }: RequestOf<typeof accessRequests.deleteGrant>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof accessRequests.deleteGrant>> {
    await this.service.delete(id, callerOf(context));
    return { id };
  }
}
