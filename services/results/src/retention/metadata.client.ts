import { Injectable } from '@nestjs/common';
import { BusClient, serviceContext } from '#libs/bus';
import { metadataRequests, type ResponseOf } from '#libs/contracts';

type ResultLimits = ResponseOf<typeof metadataRequests.listResultLimits>['limits'];

/** What metadata knows of workspaces. */
@Injectable()
export class MetadataClient {
  constructor(private readonly bus: BusClient) {}

  /** Of the workspaces that keep their results for a time or up to a size of their own. */
  async listResultLimits(): Promise<ResultLimits> {
    const context = serviceContext('results', '');
    return (await this.bus.request(metadataRequests.listResultLimits, {}, { context })).limits;
  }
}
