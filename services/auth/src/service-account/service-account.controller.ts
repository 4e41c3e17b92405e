import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { serviceAccountRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, AllowAuthenticated, principalOf } from '#libs/identity';
import { GuestService } from './guest.service.js';
import { ServiceAccountService } from './service-account.service.js';

@Controller()
export class ServiceAccountController {
  constructor(
    private readonly service: ServiceAccountService,
    private readonly guests: GuestService,
  ) {}

  /** What of them is private is decided for each caller. */
  @HandlesRequest(serviceAccountRequests.getServiceAccounts)
  @AllowAuthenticated()
  async getServiceAccounts(
    @Payload() { ids }: RequestOf<typeof serviceAccountRequests.getServiceAccounts>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof serviceAccountRequests.getServiceAccounts>> {
    return { serviceAccounts: await this.service.get(ids, principalOf(context)) };
  }

  @HandlesRequest(serviceAccountRequests.listServiceAccounts)
  @Allow('service_account.manage')
  async listServiceAccounts(
    @Payload() input: RequestOf<typeof serviceAccountRequests.listServiceAccounts>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof serviceAccountRequests.listServiceAccounts>> {
    return this.service.list(input, principalOf(context));
  }

  @HandlesRequest(serviceAccountRequests.createServiceAccount)
  @Allow('service_account.manage')
  async createServiceAccount(
    @Payload() input: RequestOf<typeof serviceAccountRequests.createServiceAccount>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof serviceAccountRequests.createServiceAccount>> {
    return { serviceAccount: await this.service.create(input, principalOf(context)) };
  }

  @HandlesRequest(serviceAccountRequests.updateServiceAccount)
  @Allow('service_account.manage')
  async updateServiceAccount(
    @Payload() input: RequestOf<typeof serviceAccountRequests.updateServiceAccount>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof serviceAccountRequests.updateServiceAccount>> {
    return { serviceAccount: await this.service.update(input, principalOf(context)) };
  }

  @HandlesRequest(serviceAccountRequests.mintGuest)
  @Allow('guest.mint')
  async mintGuest(
    @Payload() input: RequestOf<typeof serviceAccountRequests.mintGuest>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof serviceAccountRequests.mintGuest>> {
    return this.guests.mint(input, principalOf(context));
  }

  @HandlesRequest(serviceAccountRequests.revokeGuests)
  @Allow('guest.mint', 'service_account.manage')
  async revokeGuests(
    @Payload() { serviceAccountId }: RequestOf<typeof serviceAccountRequests.revokeGuests>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof serviceAccountRequests.revokeGuests>> {
    await this.guests.revokeAllOf(serviceAccountId, principalOf(context));
    return {};
  }
}
