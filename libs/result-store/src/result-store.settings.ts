import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { setting } from '#libs/config';

/** Where stored pages lie; the same for results, worker and gateway, which prove it to each other at start. */
export const resultStoreSettings = {
  directory: setting(
    'SLUICE_STORE_DIRECTORY',
    z.string().refine((path) => isAbsolute(path), { message: 'must be an absolute path' }),
    { describe: 'The directory that holds the pages of results, one and the same for results, workers and gateways.' },
  ),
};
