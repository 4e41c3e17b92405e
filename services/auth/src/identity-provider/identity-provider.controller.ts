import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { identityProviderRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, principalOf } from '#libs/identity';
import { IdentityProviderService } from './identity-provider.service.js';

type Requests = typeof identityProviderRequests;

@Controller()
export class IdentityProviderController {
  constructor(private readonly service: IdentityProviderService) {}

  @HandlesRequest(identityProviderRequests.getIdentityProviders)
  @Allow('identity_provider.manage')
  async getIdentityProviders(
    @Payload() { ids }: RequestOf<Requests['getIdentityProviders']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['getIdentityProviders']>> {
    return { identityProviders: await this.service.get(ids, principalOf(context)) };
  }

  @HandlesRequest(identityProviderRequests.listIdentityProviders)
  @Allow('identity_provider.manage')
  async listIdentityProviders(
    @Payload() input: RequestOf<Requests['listIdentityProviders']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['listIdentityProviders']>> {
    return this.service.list(input, principalOf(context));
  }

  @HandlesRequest(identityProviderRequests.createIdentityProvider)
  @Allow('identity_provider.manage')
  async createIdentityProvider(
    @Payload() input: RequestOf<Requests['createIdentityProvider']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['createIdentityProvider']>> {
    return { identityProvider: await this.service.create(input, principalOf(context)) };
  }

  @HandlesRequest(identityProviderRequests.updateIdentityProvider)
  @Allow('identity_provider.manage')
  async updateIdentityProvider(
    @Payload() input: RequestOf<Requests['updateIdentityProvider']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['updateIdentityProvider']>> {
    return { identityProvider: await this.service.update(input, principalOf(context)) };
  }

  @HandlesRequest(identityProviderRequests.deleteIdentityProvider)
  @Allow('identity_provider.manage')
  async deleteIdentityProvider(
    @Payload() { id }: RequestOf<Requests['deleteIdentityProvider']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['deleteIdentityProvider']>> {
    await this.service.delete(id, principalOf(context));
    return { id };
  }
}
