import { z } from 'zod';
import { databaseUrlText, secret } from '#libs/config';

/** The database that all services share, where they do. */
export const databaseUrl = {
  url: secret('SLUICE_DATABASE_URL', databaseUrlText.optional(), {
    describe: 'The PostgreSQL database, such as postgresql://user@host:5432/sluice, as services take it.',
  }),
  password: secret('SLUICE_DATABASE_PASSWORD', z.string().optional(), {
    describe: 'The password, where the URL does not carry it.',
  }),
};
