import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { runRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, principalOf } from '#libs/identity';
import { QuestionRate } from '../allowance/question-rate.service.js';
import { EstimateService } from './estimate.service.js';

@Controller()
export class EstimateController {
  constructor(
    private readonly service: EstimateService,
    private readonly rate: QuestionRate,
  ) {}

  /** Which of the two permissions it takes depends on the query, as with a submission. */
  @HandlesRequest(runRequests.estimateQuery)
  @Allow('query.run', 'saved_query.run')
  async estimateQuery(
    @Payload() input: RequestOf<typeof runRequests.estimateQuery>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof runRequests.estimateQuery>> {
    const principal = principalOf(context);
    await this.rate.take(principal);
    return this.service.estimate(input, principal, context);
  }
}
