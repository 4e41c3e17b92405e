import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { metadataRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, AllowService } from '#libs/identity';
import { callerOf } from '../caller.js';
import { SamplableTablesService } from './samplable-tables.service.js';
import { SourceSchemaService } from './source-schema.service.js';

@Controller()
export class SourceSchemaController {
  constructor(
    private readonly service: SourceSchemaService,
    private readonly samplable: SamplableTablesService,
  ) {}

  @HandlesRequest(metadataRequests.listTables)
  @Allow('data_source.read')
  async listTables(
    @Payload() input: RequestOf<typeof metadataRequests.listTables>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof metadataRequests.listTables>> {
    return this.service.list(input, callerOf(context));
  }

  @HandlesRequest(metadataRequests.testDataSource)
  @Allow('data_source.manage')
  async testDataSource(
    @Payload() { id }: RequestOf<typeof metadataRequests.testDataSource>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof metadataRequests.testDataSource>> {
    return this.service.test(id, callerOf(context));
  }

  @HandlesRequest(metadataRequests.refreshDataSourceSchema)
  @Allow('data_source.manage')
  async refreshDataSourceSchema(
    @Payload() { id }: RequestOf<typeof metadataRequests.refreshDataSourceSchema>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof metadataRequests.refreshDataSourceSchema>> {
    return { dataSource: await this.service.refresh(id, callerOf(context)) };
  }

  @HandlesRequest(metadataRequests.isSamplable)
  @AllowService('orchestrator')
  async isSamplable(
    @Payload() input: RequestOf<typeof metadataRequests.isSamplable>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof metadataRequests.isSamplable>> {
    return { samplable: await this.samplable.isSamplable(context.workspaceId, input) };
  }
}
