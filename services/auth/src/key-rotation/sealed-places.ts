import type { SealedPlace } from '#libs/database';

/** All that auth keeps sealed. */
export const sealedPlaces: readonly SealedPlace[] = [
  { table: 'auth.second_factor', id: 'user_id', column: 'sealed_secret' },
];
