import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { authRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { AllowAuthenticated, principalOf } from '#libs/identity';
import { ViewerService } from './viewer.service.js';

@Controller()
export class ViewerController {
  constructor(private readonly service: ViewerService) {}

  @HandlesRequest(authRequests.getViewer)
  @AllowAuthenticated()
  async getViewer(
    @Payload() _input: RequestOf<typeof authRequests.getViewer>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof authRequests.getViewer>> {
    return this.service.get(principalOf(context));
  }
}
