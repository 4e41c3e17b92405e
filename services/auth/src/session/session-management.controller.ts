import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { accountRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, AllowAuthenticated, principalOf } from '#libs/identity';
import { SessionManagementService } from './session-management.service.js';

@Controller()
export class SessionManagementController {
  constructor(private readonly service: SessionManagementService) {}

  @HandlesRequest(accountRequests.listSessions)
  @AllowAuthenticated()
  async listSessions(
    @Payload() input: RequestOf<typeof accountRequests.listSessions>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof accountRequests.listSessions>> {
    return this.service.listOf(input, principalOf(context));
  }

  @HandlesRequest(accountRequests.revokeSession)
  @AllowAuthenticated()
  async revokeSession(
    @Payload() { id }: RequestOf<typeof accountRequests.revokeSession>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof accountRequests.revokeSession>> {
    await this.service.revoke(id, principalOf(context));
    return {};
  }

  @HandlesRequest(accountRequests.revokeOtherSessions)
  @AllowAuthenticated()
  async revokeOtherSessions(
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof accountRequests.revokeOtherSessions>> {
    return { count: await this.service.revokeOthers(principalOf(context)) };
  }

  @HandlesRequest(accountRequests.revokeUserSessions)
  @Allow('user.manage')
  async revokeUserSessions(
    @Payload() { userId }: RequestOf<typeof accountRequests.revokeUserSessions>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof accountRequests.revokeUserSessions>> {
    return { count: await this.service.revokeAllOf(userId, principalOf(context)) };
  }
}
