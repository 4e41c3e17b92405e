import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { HandlesRequest } from '#libs/bus';
import { secretRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Resealer } from '#libs/database';
import { AllowService } from '#libs/identity';

const requests = secretRequests.auth;

@Controller()
export class SecretController {
  constructor(private readonly resealer: Resealer) {}

  @HandlesRequest(requests.resealSecrets)
  @AllowService('operator')
  async resealSecrets(
    @Payload() { after }: RequestOf<typeof requests.resealSecrets>,
  ): Promise<ResponseOf<typeof requests.resealSecrets>> {
    return { progress: await this.resealer.reseal(after) };
  }
}
