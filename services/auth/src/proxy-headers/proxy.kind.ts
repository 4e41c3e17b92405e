import { Injectable } from '@nestjs/common';
import { AppError } from '#libs/kernel';
import type { SsoAnswer, SsoRequest } from '../federation/sso-exchange.js';
import type { OpenProvider } from '../identity-provider/identity-provider.types.js';
import type { ProviderKind } from '../identity-provider/provider-kind.js';
import { proxyOptions, type ProxyOptions } from './proxy-options.js';
import { ProxyFault, readProxyIdentity } from './read-proxy-identity.js';

type Provider = OpenProvider<ProxyOptions>;

/** A proxy in front of the gateway that has signed the user in, and says by headers who it is. */
@Injectable()
export class ProxyKind implements ProviderKind<ProxyOptions> {
  readonly name = 'PROXY';
  readonly options = proxyOptions;
  readonly secretNames = ['secret'];
  readonly destination = ['networks', 'secretHeader'];
  readonly beginningActions = new Set<string>();
  readonly actions = {
    'GET login': (provider: Provider, request: SsoRequest) => this.login(provider, request),
  };

  private async login({ options }: Provider, request: SsoRequest): Promise<SsoAnswer> {
    try {
      // Whoever the proxy lets through has proven the address to it.
      const identity = { ...readProxyIdentity(request, options), emailVerified: true };
      return await Promise.resolve({ kind: 'signIn', identity, returnTo: request.returnTo });
    } catch (error) {
      if (!(error instanceof ProxyFault)) throw error;
      throw new AppError('sso.answer_refused', 'The headers of this request are not believed.', {
        internalMessage: `proxy headers: ${error.message}`,
        cause: error,
      });
    }
  }
}
