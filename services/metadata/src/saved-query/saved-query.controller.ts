import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { metadataRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, AllowAuthenticated } from '#libs/identity';
import { callerOf } from '../caller.js';
import { SavedQueryService } from './saved-query.service.js';

@Controller()
export class SavedQueryController {
  constructor(private readonly service: SavedQueryService) {}

  /** For those without a permission there is none: an execution's query is hidden from them, the execution is not. */
  @HandlesRequest(metadataRequests.getSavedQueries)
  @AllowAuthenticated()
  async getSavedQueries(
    @Payload() { ids }: RequestOf<typeof metadataRequests.getSavedQueries>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof metadataRequests.getSavedQueries>> {
    return { savedQueries: await this.service.get(ids, callerOf(context)) };
  }

  @HandlesRequest(metadataRequests.listSavedQueries)
  @Allow('saved_query.read')
  async listSavedQueries(
    @Payload() input: RequestOf<typeof metadataRequests.listSavedQueries>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof metadataRequests.listSavedQueries>> {
    return this.service.list(input, callerOf(context));
  }

  @HandlesRequest(metadataRequests.createSavedQuery)
  @Allow('saved_query.manage')
  async createSavedQuery(
    @Payload() input: RequestOf<typeof metadataRequests.createSavedQuery>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof metadataRequests.createSavedQuery>> {
    return { savedQuery: await this.service.create(input, callerOf(context)) };
  }

  @HandlesRequest(metadataRequests.updateSavedQuery)
  @Allow('saved_query.manage')
  async updateSavedQuery(
    @Payload() input: RequestOf<typeof metadataRequests.updateSavedQuery>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof metadataRequests.updateSavedQuery>> {
    return { savedQuery: await this.service.update(input, callerOf(context)) };
  }

  @HandlesRequest(metadataRequests.deleteSavedQuery)
  @Allow('saved_query.manage')
  async deleteSavedQuery(
    @Payload() { id }: RequestOf<typeof metadataRequests.deleteSavedQuery>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof metadataRequests.deleteSavedQuery>> {
    await this.service.delete(id, callerOf(context));
    return { id };
  }
}
