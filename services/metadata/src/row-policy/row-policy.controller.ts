import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { metadataRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, AllowService } from '#libs/identity';
import { callerOf } from '../caller.js';
import { RowPolicyService } from './row-policy.service.js';
import { SourcePoliciesService } from './source-policies.service.js';

@Controller()
export class RowPolicyController {
  constructor(
    private readonly service: RowPolicyService,
    private readonly sourcePolicies: SourcePoliciesService,
  ) {}

  @HandlesRequest(metadataRequests.getRowPolicies)
  @Allow('row_policy.read')
  async getRowPolicies(
    @Payload() { ids }: RequestOf<typeof metadataRequests.getRowPolicies>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof metadataRequests.getRowPolicies>> {
    return { rowPolicies: await this.service.get(ids, callerOf(context)) };
  }

  @HandlesRequest(metadataRequests.listRowPolicies)
  @Allow('row_policy.read')
  async listRowPolicies(
    @Payload() input: RequestOf<typeof metadataRequests.listRowPolicies>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof metadataRequests.listRowPolicies>> {
    return this.service.list(input, callerOf(context));
  }

  @HandlesRequest(metadataRequests.createRowPolicy)
  @Allow('row_policy.manage')
  async createRowPolicy(
    @Payload() input: RequestOf<typeof metadataRequests.createRowPolicy>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof metadataRequests.createRowPolicy>> {
    return this.service.create(input, callerOf(context));
  }

  @HandlesRequest(metadataRequests.updateRowPolicy)
  @Allow('row_policy.manage')
  async updateRowPolicy(
    @Payload() input: RequestOf<typeof metadataRequests.updateRowPolicy>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof metadataRequests.updateRowPolicy>> {
    return this.service.update(input, callerOf(context));
  }

  @HandlesRequest(metadataRequests.deleteRowPolicy)
  @Allow('row_policy.manage')
  async deleteRowPolicy(
    @Payload() { id }: RequestOf<typeof metadataRequests.deleteRowPolicy>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof metadataRequests.deleteRowPolicy>> {
    await this.service.delete(id, callerOf(context));
    return { id };
  }

  @HandlesRequest(metadataRequests.getSourcePolicies)
  @AllowService('orchestrator')
  async getSourcePolicies(
    @Payload() { dataSourceId }: RequestOf<typeof metadataRequests.getSourcePolicies>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof metadataRequests.getSourcePolicies>> {
    return this.sourcePolicies.get(context.workspaceId, dataSourceId);
  }
}
