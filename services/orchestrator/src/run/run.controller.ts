import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { runRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { AllowService } from '#libs/identity';
import { ClaimService } from './claim.service.js';
import { FinishService } from './finish.service.js';

/** What workers say of the runs that they were given. */
@Controller()
export class RunController {
  constructor(
    private readonly claims: ClaimService,
    private readonly finishes: FinishService,
  ) {}

  @HandlesRequest(runRequests.claimRun)
  @AllowService('worker')
  async claimRun(
    @Payload() input: RequestOf<typeof runRequests.claimRun>,
  ): Promise<ResponseOf<typeof runRequests.claimRun>> {
    return this.claims.claim(input);
  }

  @HandlesRequest(runRequests.finishRun)
  @AllowService('worker')
  async finishRun(
    @Payload() input: RequestOf<typeof runRequests.finishRun>,
    @Ctx() { workspaceId, requestId }: BusContext,
  ): Promise<ResponseOf<typeof runRequests.finishRun>> {
    return this.finishes.finish(input, { workspaceId, requestId });
  }
}
