import { Controller, type Type } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { HandlesRequest } from '#libs/bus';
import type { RequestOf, ResponseOf, secretRequests } from '#libs/contracts';
import { Resealer } from '#libs/database';
import { AllowService } from '#libs/identity';

type Requests = (typeof secretRequests)[keyof typeof secretRequests];

/** The part of a service that has its secrets sealed anew, by the requests that are its own. */
export function secretControllerOf({ resealSecrets }: Requests): Type {
  @Controller()
  class SecretController {
    constructor(private readonly resealer: Resealer) {}

    @HandlesRequest(resealSecrets)
    @AllowService('operator')
    async resealSecrets(
      @Payload() { after }: RequestOf<typeof resealSecrets>,
    ): Promise<ResponseOf<typeof resealSecrets>> {
      return { progress: await this.resealer.reseal(after) };
    }
  }
  return SecretController;
}
