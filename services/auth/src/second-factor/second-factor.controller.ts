import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { accountRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, AllowAnonymous, principalOf } from '#libs/identity';
import { SecondFactorService } from './second-factor.service.js';
import type { ProofInput } from '../account/password-proof.service.js';

const nothing: ProofInput = { email: '', password: '' };

@Controller()
export class SecondFactorController {
  constructor(private readonly service: SecondFactorService) {}

  @HandlesRequest(accountRequests.beginSecondFactor)
  @AllowAnonymous()
  async beginSecondFactor(
    @Payload() { proof }: RequestOf<typeof accountRequests.beginSecondFactor>,
  ): Promise<ResponseOf<typeof accountRequests.beginSecondFactor>> {
    return this.service.begin(proof ?? nothing);
  }

  @HandlesRequest(accountRequests.confirmSecondFactor)
  @AllowAnonymous()
  async confirmSecondFactor(
    @Payload() { proof }: RequestOf<typeof accountRequests.confirmSecondFactor>,
  ): Promise<ResponseOf<typeof accountRequests.confirmSecondFactor>> {
    return { recoveryCodes: await this.service.confirm(proof ?? nothing) };
  }

  @HandlesRequest(accountRequests.removeSecondFactor)
  @AllowAnonymous()
  async removeSecondFactor(
    @Payload() { proof }: RequestOf<typeof accountRequests.removeSecondFactor>,
  ): Promise<ResponseOf<typeof accountRequests.removeSecondFactor>> {
    await this.service.remove(proof ?? nothing);
    return {};
  }

  @HandlesRequest(accountRequests.resetUserSecondFactor)
  @Allow('user.manage')
  async resetUserSecondFactor(
    @Payload() { userId }: RequestOf<typeof accountRequests.resetUserSecondFactor>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof accountRequests.resetUserSecondFactor>> {
    await this.service.reset(userId, principalOf(context));
    return {};
  }
}
