import { Controller, Inject, type Type } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { HandlesRequest } from '#libs/bus';
import type { RequestOf, ResponseOf, secretRequests } from '#libs/contracts';
import type { Resealer } from '#libs/database';
import { AllowService } from '#libs/identity';

type Requests = (typeof secretRequests)[keyof typeof secretRequests];

/**
 * The part of a service that has its secrets sealed anew, by the requests that are its own.
 * @param resealer the class; named here as a type alone, as services without a database load this file too
 */
export function secretControllerOf({ resealSecrets }: Requests, resealer: Type<Resealer>): Type {
  @Controller()
  class SecretController {
    constructor(@Inject(resealer) private readonly resealer: Pick<Resealer, 'reseal'>) {}

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
