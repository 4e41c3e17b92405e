import type { SealedPlace } from '#libs/database';

/** All that metadata keeps sealed. */
export const sealedPlaces: readonly SealedPlace[] = [{ table: 'metadata.data_source', id: 'id' }];
