import { Injectable } from '@nestjs/common';
import { BusClient, serviceContext } from '#libs/bus';
import { authRequests } from '#libs/contracts';

/** The groups of a workspace, which auth owns. */
@Injectable()
export class GroupClient {
  constructor(private readonly bus: BusClient) {}

  /** Makes those that nobody has named yet. */
  async ensure(workspaceId: string, names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    const context = serviceContext('metadata', workspaceId);
    await this.bus.request(authRequests.ensureGroups, { workspaceId, names: [...new Set(names)] }, { context });
  }
}
