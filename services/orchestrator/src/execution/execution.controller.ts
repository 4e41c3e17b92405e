import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { runRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { AllowAuthenticated, AllowService, principalOf } from '#libs/identity';
import { CancelService } from './cancel.service.js';
import { ExecutionService } from './execution.service.js';

/** A caller's own executions need no permission; what others' need is decided where they are read. */
@Controller()
export class ExecutionController {
  constructor(
    private readonly service: ExecutionService,
    private readonly cancels: CancelService,
  ) {}

  @HandlesRequest(runRequests.cancelExecution)
  @AllowAuthenticated()
  async cancelExecution(
    @Payload() input: RequestOf<typeof runRequests.cancelExecution>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof runRequests.cancelExecution>> {
    return { execution: await this.cancels.cancel(input.id, principalOf(context)) };
  }

  @HandlesRequest(runRequests.getExecutions)
  @AllowAuthenticated()
  async getExecutions(
    @Payload() input: RequestOf<typeof runRequests.getExecutions>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof runRequests.getExecutions>> {
    return { executions: await this.service.getMany(input.ids, principalOf(context)) };
  }

  @HandlesRequest(runRequests.listExecutions)
  @AllowAuthenticated()
  async listExecutions(
    @Payload() input: RequestOf<typeof runRequests.listExecutions>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof runRequests.listExecutions>> {
    return this.service.list(input, principalOf(context));
  }

  @HandlesRequest(runRequests.listFinished)
  @AllowAuthenticated()
  async listFinished(
    @Payload() input: RequestOf<typeof runRequests.listFinished>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof runRequests.listFinished>> {
    return this.service.listFinished(input, principalOf(context));
  }

  @HandlesRequest(runRequests.getVersions)
  @AllowService('gateway')
  async getVersions(
    @Payload() input: RequestOf<typeof runRequests.getVersions>,
  ): Promise<ResponseOf<typeof runRequests.getVersions>> {
    return { versions: await this.service.versions(input) };
  }
}
