import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { accountRequests, authRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, AllowAnonymous, principalOf } from '#libs/identity';
import { ApiKeyExchangeService } from './api-key-exchange.service.js';
import { ApiKeyRotationService } from './api-key-rotation.service.js';
import { ApiKeyService } from './api-key.service.js';

@Controller()
export class ApiKeyController {
  constructor(
    private readonly service: ApiKeyService,
    private readonly exchange: ApiKeyExchangeService,
    private readonly rotation: ApiKeyRotationService,
  ) {}

  @HandlesRequest(authRequests.exchangeApiKey)
  @AllowAnonymous()
  async exchangeApiKey(
    @Payload() { secret }: RequestOf<typeof authRequests.exchangeApiKey>,
  ): Promise<ResponseOf<typeof authRequests.exchangeApiKey>> {
    return this.exchange.exchange(secret);
  }

  @HandlesRequest(authRequests.getApiKeys)
  @Allow('api_key.manage')
  async getApiKeys(
    @Payload() { ids }: RequestOf<typeof authRequests.getApiKeys>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof authRequests.getApiKeys>> {
    return { apiKeys: await this.service.get(ids, principalOf(context)) };
  }

  @HandlesRequest(authRequests.listApiKeys)
  @Allow('api_key.manage')
  async listApiKeys(
    @Payload() input: RequestOf<typeof authRequests.listApiKeys>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof authRequests.listApiKeys>> {
    return this.service.list(input, principalOf(context));
  }

  @HandlesRequest(authRequests.createApiKey)
  @Allow('api_key.manage')
  async createApiKey(
    @Payload() input: RequestOf<typeof authRequests.createApiKey>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof authRequests.createApiKey>> {
    return this.service.create(input, principalOf(context));
  }

  @HandlesRequest(authRequests.revokeApiKey)
  @Allow('api_key.manage')
  async revokeApiKey(
    @Payload() { id }: RequestOf<typeof authRequests.revokeApiKey>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof authRequests.revokeApiKey>> {
    await this.service.revoke(id, principalOf(context));
    return { id };
  }

  @HandlesRequest(accountRequests.rotateApiKey)
  @Allow('api_key.manage')
  async rotateApiKey(
    @Payload() input: RequestOf<typeof accountRequests.rotateApiKey>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof accountRequests.rotateApiKey>> {
    return this.rotation.rotate(input, principalOf(context));
  }
}
