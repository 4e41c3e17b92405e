import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { HandlesRequest } from '#libs/bus';
import { resultsRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { AllowService } from '#libs/identity';
import { parsePage, parseSeal, parseTry } from './writing.input.js';
import { WritingService } from './writing.service.js';

@Controller()
export class WritingController {
  constructor(private readonly service: WritingService) {}

  @HandlesRequest(resultsRequests.commitPage)
  @AllowService('worker')
  async commitPage(
    @Payload() input: RequestOf<typeof resultsRequests.commitPage>,
  ): Promise<ResponseOf<typeof resultsRequests.commitPage>> {
    return { accepted: await this.service.commitPage(parsePage(input)) };
  }

  @HandlesRequest(resultsRequests.sealResult)
  @AllowService('worker')
  async sealResult(
    @Payload() input: RequestOf<typeof resultsRequests.sealResult>,
  ): Promise<ResponseOf<typeof resultsRequests.sealResult>> {
    return { accepted: await this.service.seal(parseSeal(input)) };
  }

  @HandlesRequest(resultsRequests.fenceRun)
  @AllowService('orchestrator')
  async fenceRun(
    @Payload() input: RequestOf<typeof resultsRequests.fenceRun>,
  ): Promise<ResponseOf<typeof resultsRequests.fenceRun>> {
    const { state, pageCount, rowCount, byteCount } = await this.service.closeFence(parseTry(input));
    return { sealed: state === 'COMPLETE', pagesCommitted: pageCount, rowCount, byteCount };
  }
}
