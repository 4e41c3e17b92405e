import type { IdentityProvider } from '#libs/contracts';
import type { ProviderRow } from './identity-provider.types.js';

/** A provider as those see it who manage it: of secrets, only which there are. */
export function toIdentityProvider(row: ProviderRow): IdentityProvider {
  const { id, name, kind, enabled, options, secretNames, emailDomains, rules, version, createdAt } = row;
  return { id, name, kind, enabled, options, secretNames, emailDomains, rules: { ...rules }, version, createdAt };
}
