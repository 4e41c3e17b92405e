import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { runRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, principalOf } from '#libs/identity';
import { QuestionRate } from '../allowance/question-rate.service.js';
import { SubmitService } from './submit.service.js';

@Controller()
export class SubmissionController {
  constructor(
    private readonly service: SubmitService,
    private readonly rate: QuestionRate,
  ) {}

  /** Which of the two permissions it takes depends on the query; the service asks for the right one. */
  @HandlesRequest(runRequests.submitExecution)
  @Allow('query.run', 'saved_query.run')
  async submitExecution(
    @Payload() input: RequestOf<typeof runRequests.submitExecution>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof runRequests.submitExecution>> {
    const principal = principalOf(context);
    await this.rate.take(principal);
    return this.service.submit(input, principal, context);
  }
}
