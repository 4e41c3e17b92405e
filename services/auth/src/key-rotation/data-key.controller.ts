import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { HandlesRequest } from '#libs/bus';
import { dataKeyRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { AllowService } from '#libs/identity';
import { DataKeyService } from './data-key.service.js';

@Controller()
export class DataKeyController {
  constructor(private readonly service: DataKeyService) {}

  @HandlesRequest(dataKeyRequests.renewDataKeys)
  @AllowService('operator')
  async renewDataKeys(
    @Payload() input: RequestOf<typeof dataKeyRequests.renewDataKeys>,
  ): Promise<ResponseOf<typeof dataKeyRequests.renewDataKeys>> {
    return { progress: await this.service.renew(input) };
  }
}
