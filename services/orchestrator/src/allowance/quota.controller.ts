import { Controller } from '@nestjs/common';
import { Ctx } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { runRequests, type ResponseOf } from '#libs/contracts';
import { AllowAuthenticated, principalOf } from '#libs/identity';
import { QuotaService } from './quota.service.js';

@Controller()
export class QuotaController {
  constructor(private readonly service: QuotaService) {}

  @HandlesRequest(runRequests.getQuotas)
  @AllowAuthenticated()
  async getQuotas(@Ctx() context: BusContext): Promise<ResponseOf<typeof runRequests.getQuotas>> {
    return { quotas: await this.service.quotasOf(principalOf(context), context) };
  }
}
