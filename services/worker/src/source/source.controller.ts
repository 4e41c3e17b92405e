import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { workerRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { AllowService } from '#libs/identity';
import { HeldRuns } from '../run/held-runs.js';
import { TakingRuns } from '../run/taking-runs.js';
import { EstimateService } from './estimate.service.js';
import { given, SourceService } from './source.service.js';
import { TrialService } from './trial.service.js';

@Controller()
export class SourceController {
  constructor(
    private readonly sources: SourceService,
    private readonly estimates: EstimateService,
    private readonly trials: TrialService,
    private readonly held: HeldRuns,
    private readonly taking: TakingRuns,
  ) {}

  @HandlesRequest(workerRequests.testSource)
  @AllowService('metadata')
  testSource(
    @Payload() { source }: RequestOf<typeof workerRequests.testSource>,
  ): Promise<ResponseOf<typeof workerRequests.testSource>> {
    return this.sources.test(given(source));
  }

  @HandlesRequest(workerRequests.estimateStatement)
  @AllowService('orchestrator')
  estimateStatement(
    @Payload() input: RequestOf<typeof workerRequests.estimateStatement>,
    @Ctx() { signal }: BusContext,
  ): Promise<ResponseOf<typeof workerRequests.estimateStatement>> {
    return this.estimates.estimate(input, given(input.source), signal);
  }

  @HandlesRequest(workerRequests.tryStatements)
  @AllowService('metadata')
  async tryStatements(
    @Payload() input: RequestOf<typeof workerRequests.tryStatements>,
    @Ctx() { signal }: BusContext,
  ): Promise<ResponseOf<typeof workerRequests.tryStatements>> {
    return { fault: await this.trials.firstFault(input, given(input.source), signal) };
  }

  @HandlesRequest(workerRequests.readSchema)
  @AllowService('metadata')
  async readSchema(
    @Payload() { source }: RequestOf<typeof workerRequests.readSchema>,
  ): Promise<ResponseOf<typeof workerRequests.readSchema>> {
    return { tables: await this.sources.readSchema(given(source)) };
  }

  @HandlesRequest(workerRequests.cancelAtSource)
  @AllowService('orchestrator')
  async cancelAtSource(
    @Payload() { source, handle }: RequestOf<typeof workerRequests.cancelAtSource>,
  ): Promise<ResponseOf<typeof workerRequests.cancelAtSource>> {
    return { canceled: await this.sources.cancel(given(source), given(handle)) };
  }

  @HandlesRequest(workerRequests.setDraining)
  @AllowService('orchestrator')
  async setDraining(
    @Payload() { draining, revision }: RequestOf<typeof workerRequests.setDraining>,
  ): Promise<ResponseOf<typeof workerRequests.setDraining>> {
    await this.taking.set(!draining, revision);
    return { runs: this.held.count };
  }

  @HandlesRequest(workerRequests.stopRun)
  @AllowService('orchestrator')
  async stopRun(
    @Payload() { runId, fence, timedOut }: RequestOf<typeof workerRequests.stopRun>,
  ): Promise<ResponseOf<typeof workerRequests.stopRun>> {
    return { stopping: this.held.stop(runId, fence, timedOut ? 'timedOut' : 'canceled') };
  }
}
