import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { metadataRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, AllowAuthenticated, AllowService } from '#libs/identity';
import { callerOf } from '../caller.js';
import { WorkspaceSettingsService } from './workspace-settings.service.js';

@Controller()
export class WorkspaceSettingsController {
  constructor(private readonly service: WorkspaceSettingsService) {}

  @HandlesRequest(metadataRequests.getWorkspaceSettings)
  @AllowAuthenticated()
  async getWorkspaceSettings(
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof metadataRequests.getWorkspaceSettings>> {
    return { settings: await this.service.get(callerOf(context).workspaceId) };
  }

  @HandlesRequest(metadataRequests.updateWorkspaceSettings)
  @Allow('workspace.manage')
  async updateWorkspaceSettings(
    @Payload() input: RequestOf<typeof metadataRequests.updateWorkspaceSettings>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof metadataRequests.updateWorkspaceSettings>> {
    return { settings: await this.service.update(input, callerOf(context)) };
  }

  @HandlesRequest(metadataRequests.listHistoryRetentions)
  @AllowService('orchestrator')
  async listHistoryRetentions(): Promise<ResponseOf<typeof metadataRequests.listHistoryRetentions>> {
    return { retentions: await this.service.retentions() };
  }

  @HandlesRequest(metadataRequests.listResultLimits)
  @AllowService('results')
  async listResultLimits(): Promise<ResponseOf<typeof metadataRequests.listResultLimits>> {
    return { limits: await this.service.resultLimits() };
  }
}
