import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { resultsRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { AppError, isId } from '#libs/kernel';
import { AllowAuthenticated, principalOf } from '#libs/identity';
import { ManifestService } from './manifest.service.js';

const runIdsMax = 500;

@Controller()
export class ManifestController {
  constructor(private readonly service: ManifestService) {}

  @HandlesRequest(resultsRequests.getManifests)
  @AllowAuthenticated()
  async getManifests(
    @Payload() { runIds, withoutRows }: RequestOf<typeof resultsRequests.getManifests>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof resultsRequests.getManifests>> {
    if (runIds.length > runIdsMax)
      throw new AppError('input.too_large', `At most ${runIdsMax} runs at once.`, { path: ['runIds'] });
    return { manifests: await this.service.manifests(runIds, principalOf(context).workspaceId, !withoutRows) };
  }

  @HandlesRequest(resultsRequests.locatePages)
  @AllowAuthenticated()
  async locatePages(
    @Payload() { runId, fromRow, rowCount }: RequestOf<typeof resultsRequests.locatePages>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof resultsRequests.locatePages>> {
    if (!isId('run', runId)) throw new AppError('input.invalid', 'runId is not the id of a run.', { path: ['runId'] });
    if (fromRow < 0) throw new AppError('input.invalid', 'fromRow cannot be negative.', { path: ['fromRow'] });
    if (rowCount < 1) throw new AppError('input.invalid', 'rowCount is at least 1.', { path: ['rowCount'] });
    return this.service.locate(runId, principalOf(context).workspaceId, { fromRow, rowCount });
  }
}
