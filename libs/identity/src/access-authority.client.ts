import { serviceContext, type BusClient } from '#libs/bus';
import { accessRequests, type ResponseOf, type ServiceName } from '#libs/contracts';
import type { AccessAuthority } from './access-view.js';

/** Asks the service metadata, over the bus, as this service. Callers wait for it, so it waits for as long as they do. */
export class BusAccessAuthority implements AccessAuthority {
  constructor(
    private readonly bus: BusClient,
    private readonly service: ServiceName | 'gateway',
  ) {}

  restrictions(
    workspaceId: string,
    knownRevision: number,
  ): Promise<ResponseOf<typeof accessRequests.listRestrictions>> {
    const context = serviceContext(this.service, workspaceId);
    return this.bus.request(accessRequests.listRestrictions, { workspaceId, knownRevision }, { context });
  }
}
