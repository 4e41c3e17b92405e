import { Inject, Injectable } from '@nestjs/common';
import { BusClient } from '#libs/bus';
import { authRequests } from '#libs/contracts';
import { type Clock } from '#libs/kernel';
import { CLOCK } from '#libs/service';
import { TokenExchange } from './token-exchange.js';

/** Short access tokens for API keys. */
@Injectable()
export class ApiKeyExchange extends TokenExchange {
  constructor(
    private readonly bus: BusClient,
    @Inject(CLOCK) clock: Clock,
  ) {
    super(clock, (secret, requestId) => {
      const context = { workspaceId: '', actor: { case: undefined }, requestId };
      return this.bus.request(authRequests.exchangeApiKey, { secret }, { context });
    });
  }
}
