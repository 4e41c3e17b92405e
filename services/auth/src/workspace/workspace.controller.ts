import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { authRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { AllowAuthenticated, AllowService, principalOf } from '#libs/identity';
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

  @HandlesRequest(authRequests.getDataKey)
  @AllowService('metadata', 'orchestrator', 'worker')
  async getDataKey(
    @Payload() { workspaceId }: RequestOf<typeof authRequests.getDataKey>,
  ): Promise<ResponseOf<typeof authRequests.getDataKey>> {
    const { masterKeyId, wrappedKey } = await this.service.getDataKey(workspaceId);
    return { masterKeyId, wrappedKey };
  }
}
