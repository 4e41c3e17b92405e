import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesEvent } from '#libs/bus';
import { dataSourceChanged, type DataSourceChanged } from '#libs/contracts';
import { SourceService } from './source.service.js';

@Controller()
export class SourceConsumer {
  constructor(private readonly service: SourceService) {}

  @HandlesEvent(dataSourceChanged)
  async onDataSourceChanged(@Payload() event: DataSourceChanged, @Ctx() context: BusContext): Promise<void> {
    await this.service.take(event, context.messageId);
  }
}
