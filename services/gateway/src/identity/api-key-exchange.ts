import { Injectable } from '@nestjs/common';
import { BusClient } from '#libs/bus';
import { authRequests } from '#libs/contracts';
import { RevocationView } from '#libs/identity';
import { TokenExchange } from './token-exchange.js';

/** Short access tokens for API keys. */
@Injectable()
export class ApiKeyExchange extends TokenExchange {
  constructor(
    private readonly bus: BusClient,
    revocations: RevocationView,
  ) {
    super(revocations, (secret, requestId) => {
      const context = { workspaceId: '', actor: { case: undefined }, requestId };
      return this.bus.request(authRequests.exchangeApiKey, { secret }, { context });
    });
  }
}
