import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { healthRequests, operatorRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { DatabaseState } from '#libs/database';
import { examineService, joinReports } from '#libs/doctor';
import { Allow, AllowService, principalOf } from '#libs/identity';
import { WorkspaceService } from '../workspace/workspace.service.js';
import { CredentialHealth } from './credential-health.service.js';

const requests = healthRequests.auth;

@Controller()
export class HealthController {
  constructor(
    private readonly database: DatabaseState,
    private readonly credentials: CredentialHealth,
    private readonly workspaces: WorkspaceService,
  ) {}

  @HandlesRequest(requests.examine)
  @AllowService('gateway', 'operator')
  async examine(
    @Payload() { withDatabase }: RequestOf<typeof requests.examine>,
  ): Promise<ResponseOf<typeof requests.examine>> {
    const reports = [examineService(this.database, { withDatabase }), this.credentials.examine()];
    return { report: joinReports(await Promise.all(reports)) };
  }

  @HandlesRequest(operatorRequests.mayOperate)
  @Allow('operations.read', 'operations.manage')
  async mayOperate(@Ctx() context: BusContext): Promise<ResponseOf<typeof operatorRequests.mayOperate>> {
    return { mayOperate: await this.workspaces.isFirst(principalOf(context).workspaceId) };
  }
}
