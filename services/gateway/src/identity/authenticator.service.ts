import { Injectable } from '@nestjs/common';
import { TokenVerifier } from '#libs/identity';
import { AppError } from '#libs/kernel';
import { ApiKeyExchange } from './api-key-exchange.js';
import type { Caller } from './caller.js';
import { demandNetwork } from './networks.js';
import { readCredentials } from './read-credentials.js';
import { SessionCookieExchange } from './session-cookie-exchange.js';
import type { TokenExchange } from './token-exchange.js';

/** How a browser's cookie is written as an authorization, which no header can hold. */
export const cookieScheme = '\0cookie ';

/** Finds out who sent an `Authorization` value: `Bearer <access token or API key>` or `Key <API key>`, or a cookie. */
@Injectable()
export class AuthenticatorService {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly apiKeys: ApiKeyExchange,
    private readonly cookies: SessionCookieExchange,
  ) {}

  /**
   * @param clientAddress where the caller comes from; absent where the same connection has been checked before
   * @throws AppError of the area auth where the credentials are not good, and of bus where nobody could say
   */
  async authenticate(authorization: string, requestId: string, clientAddress?: string): Promise<Caller> {
    const caller = await this.prove(authorization, requestId);
    if (clientAddress !== undefined) demandNetwork(caller.principal, clientAddress);
    return caller;
  }

  private async prove(authorization: string, requestId: string): Promise<Caller> {
    if (authorization.startsWith(cookieScheme)) {
      return this.exchange(this.cookies, authorization.slice(cookieScheme.length), requestId);
    }
    const { apiKey, accessToken } = readCredentials(authorization);
    if (apiKey === undefined) return { principal: await this.verifier.verify(accessToken), accessToken };
    return this.exchange(this.apiKeys, apiKey, requestId);
  }

  private async exchange(exchange: TokenExchange, secret: string, requestId: string): Promise<Caller> {
    try {
      return await this.proveExchanged(exchange, secret, requestId);
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'auth.token_revoked')) throw error;
      // It was a token from before: what was brought is good all the same, as where rights were changed, or it is told why not.
      return this.proveExchanged(exchange, secret, requestId);
    }
  }

  private async proveExchanged(exchange: TokenExchange, secret: string, requestId: string): Promise<Caller> {
    const accessToken = await exchange.accessToken(secret, requestId);
    try {
      return { principal: await this.verifier.verify(accessToken), accessToken };
    } catch (error) {
      exchange.forget(secret);
      throw error;
    }
  }
}
