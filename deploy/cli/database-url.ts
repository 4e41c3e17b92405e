import { z } from 'zod';
import { secret, urlText } from '#libs/config';

/** The database that all services share, where they do. */
export const databaseUrl = {
  url: secret('SLUICE_DATABASE_URL', urlText('postgres:', 'postgresql:').optional(), {
    describe: 'The PostgreSQL database, such as postgresql://user@host:5432/sluice.',
  }),
  password: secret('SLUICE_DATABASE_PASSWORD', z.string().optional(), {
    describe: 'The password, where the URL does not carry it.',
  }),
};
