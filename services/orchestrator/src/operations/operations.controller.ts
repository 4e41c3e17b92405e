import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { operationsRequests as requests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, principalOf } from '#libs/identity';
import { OperationsService } from './operations.service.js';

@Controller()
export class OperationsController {
  constructor(private readonly service: OperationsService) {}

  @HandlesRequest(requests.listQueues)
  @Allow('operations.read')
  async listQueues(@Ctx() context: BusContext): Promise<ResponseOf<typeof requests.listQueues>> {
    return { queues: await this.service.queues(principalOf(context)) };
  }

  @HandlesRequest(requests.listWorkers)
  @Allow('operations.read')
  async listWorkers(@Ctx() context: BusContext): Promise<ResponseOf<typeof requests.listWorkers>> {
    return { workers: await this.service.listWorkers(principalOf(context)) };
  }

  @HandlesRequest(requests.listSlowRuns)
  @Allow('operations.read')
  listSlowRuns(
    @Payload() input: RequestOf<typeof requests.listSlowRuns>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof requests.listSlowRuns>> {
    return this.service.slowRuns(input, principalOf(context));
  }

  @HandlesRequest(requests.listUsage)
  @Allow('operations.read')
  listUsage(
    @Payload() input: RequestOf<typeof requests.listUsage>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof requests.listUsage>> {
    return this.service.usage(input, principalOf(context));
  }

  @HandlesRequest(requests.killExecution)
  @Allow('operations.manage')
  async killExecution(
    @Payload() { id }: RequestOf<typeof requests.killExecution>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof requests.killExecution>> {
    await this.service.kill(id, principalOf(context));
    return { id };
  }

  @HandlesRequest(requests.setWorkerDraining)
  @Allow('operations.manage')
  async setWorkerDraining(
    @Payload() input: RequestOf<typeof requests.setWorkerDraining>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof requests.setWorkerDraining>> {
    return { worker: await this.service.setDraining(input, principalOf(context), context) };
  }
}
