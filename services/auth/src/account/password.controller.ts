import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { accountRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, AllowAnonymous, AllowAuthenticated, principalOf } from '#libs/identity';
import { PasswordChangeService } from './password-change.service.js';
import { PasswordHelpService } from './password-help.service.js';

@Controller()
export class PasswordController {
  constructor(
    private readonly changes: PasswordChangeService,
    private readonly help: PasswordHelpService,
  ) {}

  @HandlesRequest(accountRequests.changePassword)
  @AllowAuthenticated()
  async changePassword(
    @Payload() input: RequestOf<typeof accountRequests.changePassword>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof accountRequests.changePassword>> {
    await this.changes.change(input, principalOf(context));
    return {};
  }

  @HandlesRequest(accountRequests.requestPasswordReset)
  @AllowAnonymous()
  async requestPasswordReset(
    @Payload() input: RequestOf<typeof accountRequests.requestPasswordReset>,
  ): Promise<ResponseOf<typeof accountRequests.requestPasswordReset>> {
    await this.help.request(input);
    return {};
  }

  @HandlesRequest(accountRequests.resetPassword)
  @AllowAnonymous()
  async resetPassword(
    @Payload() { token, password }: RequestOf<typeof accountRequests.resetPassword>,
  ): Promise<ResponseOf<typeof accountRequests.resetPassword>> {
    await this.changes.setByToken(token, 'RESET', password);
    return {};
  }

  @HandlesRequest(accountRequests.acceptInvitation)
  @AllowAnonymous()
  async acceptInvitation(
    @Payload() { token, password }: RequestOf<typeof accountRequests.acceptInvitation>,
  ): Promise<ResponseOf<typeof accountRequests.acceptInvitation>> {
    await this.changes.setByToken(token, 'INVITATION', password);
    return {};
  }

  @HandlesRequest(accountRequests.inviteUser)
  @Allow('user.manage')
  async inviteUser(
    @Payload() { userId }: RequestOf<typeof accountRequests.inviteUser>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof accountRequests.inviteUser>> {
    const url = await this.help.inviteAgain(userId, principalOf(context));
    return url === undefined ? {} : { url };
  }

  @HandlesRequest(accountRequests.resetUserPassword)
  @Allow('user.manage')
  async resetUserPassword(
    @Payload() { userId }: RequestOf<typeof accountRequests.resetUserPassword>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof accountRequests.resetUserPassword>> {
    const url = await this.help.resetFor(userId, principalOf(context));
    return url === undefined ? {} : { url };
  }
}
