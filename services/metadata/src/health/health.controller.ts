import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { HandlesRequest } from '#libs/bus';
import { healthRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { DatabaseState } from '#libs/database';
import { examineService } from '#libs/doctor';
import { AllowService } from '#libs/identity';

const requests = healthRequests.metadata;

@Controller()
export class HealthController {
  constructor(private readonly database: DatabaseState) {}

  @HandlesRequest(requests.examine)
  @AllowService('gateway', 'operator')
  async examine(
    @Payload() { withDatabase }: RequestOf<typeof requests.examine>,
  ): Promise<ResponseOf<typeof requests.examine>> {
    return { report: await examineService(this.database, { withDatabase }) };
  }
}
