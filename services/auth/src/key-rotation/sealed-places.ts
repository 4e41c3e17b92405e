import type { SealedPlace } from '#libs/database';

/** All that auth keeps sealed. */
export const sealedPlaces: readonly SealedPlace[] = [
  { table: 'auth.second_factor', id: 'user_id', column: 'sealed_secret' },
  { table: 'auth.identity_provider', id: 'id', column: 'sealed_secrets' },
  { table: 'auth.saml_key', id: 'provider_id', column: 'sealed_key', purpose: 'saml-key' },
];
