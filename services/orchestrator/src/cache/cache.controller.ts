import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { runRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, AllowService, principalOf } from '#libs/identity';
import { CacheService } from './cache.service.js';
import { RepeatedHitsService } from './repeated-hits.service.js';

@Controller()
export class CacheController {
  constructor(
    private readonly service: CacheService,
    private readonly repeatedHits: RepeatedHitsService,
  ) {}

  @HandlesRequest(runRequests.invalidateCache)
  @Allow('cache.invalidate')
  async invalidateCache(
    @Payload() input: RequestOf<typeof runRequests.invalidateCache>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof runRequests.invalidateCache>> {
    return { invalidatedCount: await this.service.invalidate(input, principalOf(context)) };
  }

  @HandlesRequest(runRequests.repeatHits)
  @AllowService('gateway')
  async repeatHits(
    @Payload() input: RequestOf<typeof runRequests.repeatHits>,
  ): Promise<ResponseOf<typeof runRequests.repeatHits>> {
    return { hits: await this.repeatedHits.repeat(input.hits) };
  }
}
