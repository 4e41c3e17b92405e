import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { booleanText, choice, integerText, secret, setting, urlText, type ConfigOf } from '#libs/config';

/** The directory, for the store on one machine or on a file system that all machines share. */
const directory = {
  path: setting(
    'SLUICE_STORE_DIRECTORY',
    z.string().refine((path) => isAbsolute(path), { message: 'must be an absolute path' }),
    { describe: 'With SLUICE_STORE=directory: the directory that holds the pages of results.' },
  ),
};

const keys = {
  accessKeyId: secret('SLUICE_STORE_S3_ACCESS_KEY_ID', z.string().min(1), {
    describe: 'With SLUICE_STORE_S3_CREDENTIALS=keys: the access key.',
  }),
  secretAccessKey: secret('SLUICE_STORE_S3_SECRET_ACCESS_KEY', z.string().min(1), {
    describe: 'With SLUICE_STORE_S3_CREDENTIALS=keys: its secret.',
  }),
};

const s3 = {
  bucket: setting(
    'SLUICE_STORE_S3_BUCKET',
    z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be a bucket'),
    {
      describe: 'With SLUICE_STORE=s3: the bucket. It must be there.',
    },
  ),
  prefix: setting('SLUICE_STORE_S3_PREFIX', z.string().regex(/^([A-Za-z0-9._-]+\/)*$/, 'must be empty or end with /'), {
    default: '',
    describe: 'What stands in front of every key, such as sluice/.',
  }),
  endpoint: setting('SLUICE_STORE_S3_ENDPOINT', urlText('https:', 'http:').optional(), {
    describe: 'The address of a store that is not AWS, such as https://minio.example.com.',
  }),
  region: setting('SLUICE_STORE_S3_REGION', z.string().min(1).optional(), {
    describe: 'The region. Not set: as the AWS SDK finds it (AWS_REGION, the profile).',
  }),
  pathStyle: setting('SLUICE_STORE_S3_PATH_STYLE', booleanText, {
    default: false,
    describe: 'Whether the bucket stands in the path of addresses, as most stores other than AWS want it.',
  }),
  credentials: choice(
    'SLUICE_STORE_S3_CREDENTIALS',
    { chain: {}, keys },
    {
      default: 'chain',
      describe:
        'chain: as the AWS SDK finds them (environment, profile, web identity, role of the machine); keys: the two settings below.',
    },
  ),
  timeoutMs: setting('SLUICE_STORE_S3_TIMEOUT_MS', integerText(100, 600_000), {
    default: 10_000,
    describe: 'How long one request may take.',
  }),
  attempts: setting('SLUICE_STORE_S3_ATTEMPTS', integerText(1, 20), {
    default: 4,
    describe: 'How often a request is tried that fails for a reason that may pass.',
  }),
};

/** Where stored pages lie; the same for results, worker and gateway, which prove it to each other at start. */
export const resultStoreSettings = choice(
  'SLUICE_STORE',
  { directory, s3 },
  {
    default: 'directory',
    describe: 'Where the pages of results lie: in a directory that all services see, or in an S3-compatible store.',
  },
);

export type ResultStoreSettings = ConfigOf<typeof resultStoreSettings>;
