import type { z } from 'zod';
import type { SsoAnswer, SsoRequest } from '../federation/sso-exchange.js';
import type { OpenProvider, ProviderKindName } from './identity-provider.types.js';

/**
 * One kind of identity provider: what its options are, and what it answers at /v1/sso/<provider>/<action>. It proves who
 * somebody is and hands an ExternalIdentity to FederatedSignInService; it never touches users or sessions itself.
 */
export interface ProviderKind<Options = unknown> {
  readonly name: ProviderKindName;
  /** Strict: what is not named is refused. The secrets are members of its root. */
  readonly options: z.ZodType<Options>;
  readonly secretNames: readonly string[];
  /** The options that say who is told the secrets. Where one changes, kept secrets do not go along. */
  readonly destination: readonly string[];
  /**
   * Those of the actions that begin or take up a sign-in: where the provider is not as it was opened they throw
   * `ProviderOutdated` before they do anything or ask anybody, and refuse before only what every provider would.
   */
  readonly beginningActions: ReadonlySet<string>;
  /** By `<METHOD> <action>`, such as `GET login`. */
  readonly actions: Readonly<
    Record<string, (provider: OpenProvider<Options>, request: SsoRequest) => Promise<SsoAnswer>>
  >;
}
