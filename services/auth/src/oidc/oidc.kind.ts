import { Injectable } from '@nestjs/common';
import type { ProviderKind } from '../identity-provider/provider-kind.js';
import { oidcOptions, type OidcOptions } from './oidc.options.js';

/** OpenID Connect. */
@Injectable()
export class OidcKind implements ProviderKind<OidcOptions> {
  readonly name = 'OIDC';
  readonly options = oidcOptions;
  readonly secretNames = ['clientSecret'];
  readonly destination = ['issuer'];
  readonly actions = {};
}
