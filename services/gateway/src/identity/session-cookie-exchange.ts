import { Injectable } from '@nestjs/common';
import { BusClient } from '#libs/bus';
import { federationRequests } from '#libs/contracts';
import { RevocationView } from '#libs/identity';
import { TokenExchange } from './token-exchange.js';

/** Short access tokens for the cookies of browsers' sessions. */
@Injectable()
export class SessionCookieExchange extends TokenExchange {
  constructor(
    private readonly bus: BusClient,
    revocations: RevocationView,
  ) {
    super(revocations, (cookie, requestId) => {
      const context = { workspaceId: '', actor: { case: undefined }, requestId };
      return this.bus.request(federationRequests.exchangeSessionCookie, { cookie }, { context });
    });
  }
}
