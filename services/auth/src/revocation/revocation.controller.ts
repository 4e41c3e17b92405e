import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { HandlesRequest } from '#libs/bus';
import { authRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { AllowService } from '#libs/identity';
import { RevocationRepository } from './revocation.repository.js';

@Controller()
export class RevocationController {
  constructor(private readonly revocations: RevocationRepository) {}

  @HandlesRequest(authRequests.listRevocations)
  @AllowService('gateway', 'auth', 'metadata', 'orchestrator', 'worker', 'results')
  async listRevocations(
    @Payload() { afterRevision }: RequestOf<typeof authRequests.listRevocations>,
  ): Promise<ResponseOf<typeof authRequests.listRevocations>> {
    const { revision, now, revocations } = await this.revocations.listAfter(afterRevision);
    return { revision, now, revocations: [...revocations] };
  }
}
