import { Injectable } from '@nestjs/common';
import { BusClient, serviceContext, type MessageContext } from '#libs/bus';
import { authRequests, operatorRequests, type ResponseOf } from '#libs/contracts';
import type { WrappedDataKey } from '#libs/encryption';

@Injectable()
export class AuthClient {
  constructor(private readonly bus: BusClient) {}

  /** Who asks, by the caller's own token. */
  getViewer(context: MessageContext, signal: AbortSignal): Promise<ResponseOf<typeof authRequests.getViewer>> {
    return this.bus.request(authRequests.getViewer, {}, { context, signal });
  }

  /** Whether the caller operates the installation, by the caller's own token. */
  async mayOperate(context: MessageContext): Promise<boolean> {
    return (await this.bus.request(operatorRequests.mayOperate, {}, { context })).mayOperate;
  }

  getDataKey(workspaceId: string): Promise<WrappedDataKey> {
    const context = serviceContext('orchestrator', workspaceId);
    return this.bus.request(authRequests.getDataKey, { workspaceId }, { context });
  }

  /** What these may do now; those who are gone or disabled are left out. */
  async rightsOf(
    workspaceId: string,
    userIds: readonly string[],
  ): Promise<ResponseOf<typeof authRequests.listUserRights>['users']> {
    const context = serviceContext('orchestrator', workspaceId);
    const input = { workspaceId, userIds: [...userIds] };
    return (await this.bus.request(authRequests.listUserRights, input, { context })).users;
  }

  /** A short token for running queries in the name of a user who is not there. @throws AppError `auth.user_not_found` */
  async actFor(workspaceId: string, userId: string): Promise<string> {
    const context = serviceContext('orchestrator', workspaceId);
    return (await this.bus.request(authRequests.actFor, { workspaceId, userId }, { context })).accessToken;
  }
}
