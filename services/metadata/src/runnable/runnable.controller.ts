import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { metadataRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, AllowService } from '#libs/identity';
import { callerOf } from '../caller.js';
import { RunnableService } from './runnable.service.js';

@Controller()
export class RunnableController {
  constructor(private readonly service: RunnableService) {}

  /** Which of the two permissions it takes depends on what is to run; the service asks for it. */
  @HandlesRequest(metadataRequests.resolveRunnable)
  @Allow('query.run', 'saved_query.run')
  async resolveRunnable(
    @Payload() input: RequestOf<typeof metadataRequests.resolveRunnable>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof metadataRequests.resolveRunnable>> {
    return this.service.resolve(input, callerOf(context));
  }

  @HandlesRequest(metadataRequests.getSourceConnections)
  @AllowService('orchestrator')
  async getSourceConnections(
    @Payload() { ids }: RequestOf<typeof metadataRequests.getSourceConnections>,
  ): Promise<ResponseOf<typeof metadataRequests.getSourceConnections>> {
    return { sources: await this.service.connections(ids) };
  }

  @HandlesRequest(metadataRequests.listWarmUps)
  @AllowService('orchestrator')
  async listWarmUps(
    @Payload() input: RequestOf<typeof metadataRequests.listWarmUps>,
  ): Promise<ResponseOf<typeof metadataRequests.listWarmUps>> {
    return { warmUps: await this.service.warmUps(input) };
  }
}
