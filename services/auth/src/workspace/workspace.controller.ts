import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { accountRequests, authRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, AllowAuthenticated, AllowService, principalOf } from '#libs/identity';
import { WorkspaceService } from './workspace.service.js';

@Controller()
export class WorkspaceController {
  constructor(private readonly service: WorkspaceService) {}

  @HandlesRequest(authRequests.getWorkspaces)
  @AllowAuthenticated()
  async getWorkspaces(
    @Payload() { ids }: RequestOf<typeof authRequests.getWorkspaces>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof authRequests.getWorkspaces>> {
    return { workspaces: await this.service.get(ids, principalOf(context)) };
  }

  @HandlesRequest(accountRequests.getSignInRules)
  @AllowAuthenticated()
  async getSignInRules(@Ctx() context: BusContext): Promise<ResponseOf<typeof accountRequests.getSignInRules>> {
    return { secondFactorRequired: await this.service.isSecondFactorRequired(principalOf(context)) };
  }

  @HandlesRequest(accountRequests.updateSignInRules)
  @Allow('workspace.manage')
  async updateSignInRules(
    @Payload() { secondFactorRequired }: RequestOf<typeof accountRequests.updateSignInRules>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof accountRequests.updateSignInRules>> {
    await this.service.requireSecondFactor(principalOf(context), secondFactorRequired);
    return { secondFactorRequired };
  }

  @HandlesRequest(authRequests.getDataKey)
  @AllowService('metadata', 'orchestrator', 'worker')
  async getDataKey(
    @Payload() { workspaceId }: RequestOf<typeof authRequests.getDataKey>,
  ): Promise<ResponseOf<typeof authRequests.getDataKey>> {
    const { masterKeyId, wrappedKey } = await this.service.getDataKey(workspaceId);
    return { masterKeyId, wrappedKey };
  }
}
