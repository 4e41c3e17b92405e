import { Controller } from '@nestjs/common';
import { HandlesRequest } from '#libs/bus';
import { resultsRequests, type ResponseOf } from '#libs/contracts';
import { AllowService } from '#libs/identity';
import { StoreIdentityService } from './store-identity.service.js';

@Controller()
export class StoreController {
  constructor(private readonly service: StoreIdentityService) {}

  @HandlesRequest(resultsRequests.getStore)
  @AllowService('worker', 'gateway')
  async getStore(): Promise<ResponseOf<typeof resultsRequests.getStore>> {
    return { identity: this.service.identity() };
  }
}
