import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { metadataRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, AllowAuthenticated } from '#libs/identity';
import { callerOf } from '../caller.js';
import { DataSourceService } from './data-source.service.js';

@Controller()
export class DataSourceController {
  constructor(private readonly service: DataSourceService) {}

  /** For those without the permission there is none: a saved query's source is hidden from them, the query is not. */
  @HandlesRequest(metadataRequests.getDataSources)
  @AllowAuthenticated()
  async getDataSources(
    @Payload() { ids }: RequestOf<typeof metadataRequests.getDataSources>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof metadataRequests.getDataSources>> {
    return { dataSources: await this.service.get(ids, callerOf(context)) };
  }

  @HandlesRequest(metadataRequests.listDataSources)
  @Allow('data_source.read')
  async listDataSources(
    @Payload() input: RequestOf<typeof metadataRequests.listDataSources>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof metadataRequests.listDataSources>> {
    return this.service.list(input, callerOf(context));
  }

  @HandlesRequest(metadataRequests.createDataSource)
  @Allow('data_source.manage')
  async createDataSource(
    @Payload() input: RequestOf<typeof metadataRequests.createDataSource>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof metadataRequests.createDataSource>> {
    return { dataSource: await this.service.create(input, callerOf(context)) };
  }

  @HandlesRequest(metadataRequests.updateDataSource)
  @Allow('data_source.manage')
  async updateDataSource(
    @Payload() input: RequestOf<typeof metadataRequests.updateDataSource>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof metadataRequests.updateDataSource>> {
    return { dataSource: await this.service.update(input, callerOf(context)) };
  }

  @HandlesRequest(metadataRequests.deleteDataSource)
  @Allow('data_source.manage')
  async deleteDataSource(
    @Payload() { id }: RequestOf<typeof metadataRequests.deleteDataSource>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof metadataRequests.deleteDataSource>> {
    await this.service.delete(id, callerOf(context));
    return { id };
  }
}
