import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { HandlesRequest } from '#libs/bus';
import { healthRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { DatabaseState } from '#libs/database';
import { examineService, joinReports } from '#libs/doctor';
import { AllowService } from '#libs/identity';
import { WorkHealth } from './work-health.service.js';

const requests = healthRequests.orchestrator;

@Controller()
export class HealthController {
  constructor(
    private readonly database: DatabaseState,
    private readonly work: WorkHealth,
  ) {}

  @HandlesRequest(requests.examine)
  @AllowService('gateway', 'operator')
  async examine(
    @Payload() { withDatabase }: RequestOf<typeof requests.examine>,
  ): Promise<ResponseOf<typeof requests.examine>> {
    const reports = [examineService(this.database, { withDatabase }), this.work.examine()];
    return { report: joinReports(await Promise.all(reports)) };
  }
}
