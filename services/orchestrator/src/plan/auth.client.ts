import { Injectable } from '@nestjs/common';
import { BusClient, type MessageContext } from '#libs/bus';
import { authRequests } from '#libs/contracts';

@Injectable()
export class AuthClient {
  constructor(private readonly bus: BusClient) {}

  /** The caller's own address, asked in the caller's own name; undefined where there is none to be read. */
  async findEmail(userId: string, context: MessageContext, signal: AbortSignal): Promise<string | undefined> {
    const { users } = await this.bus.request(authRequests.getUsers, { ids: [userId] }, { context, signal });
    return users[0]?.email || undefined;
  }
}
