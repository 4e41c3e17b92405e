import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import {
  defineConfig,
  integerText,
  listText,
  kmsSettings,
  redisSettings,
  secret,
  serviceSettings,
  setting,
  type ConfigOf,
} from '#libs/config';
import { isId } from '#libs/kernel';
import { resultStoreSettings } from '#libs/result-store';
import { sourceTypes } from '#libs/source-types';

const isSourceId = (id: string): boolean => isId('dataSource', id);

export const workerConfig = defineConfig({
  service: serviceSettings('worker', { metricsPort: 4104 }),
  redis: redisSettings,
  store: resultStoreSettings,
  kms: kmsSettings,
  masterKeys: secret('SLUICE_MASTER_KEYS', z.string().min(1), {
    describe: 'The keys that open the secrets of data sources, `<id>:<base64 of 32 bytes>` with commas between.',
  }),
  run: {
    pool: setting('SLUICE_WORKER_POOL', z.string().regex(/^[a-z][a-z0-9-]{0,30}$/), {
      default: 'default',
      describe: 'The pool whose runs this worker takes, from the queue run-<pool>.',
    }),
    sourceIds: setting('SLUICE_WORKER_SOURCES', listText.pipe(z.array(z.string().refine(isSourceId, 'must be ids'))), {
      default: '',
      describe:
        'The data sources, by id with commas between, that this worker is bound to: it takes runs of these alone, and no ' +
        'worker without a binding takes them. Absent: no binding.',
    }),
    sourceTypes: setting(
      'SLUICE_WORKER_SOURCE_TYPES',
      listText.pipe(
        z.array(
          z.enum(
            sourceTypes.map(({ name }) => name),
            'must be types of data sources',
          ),
        ),
      ),
      {
        default: '',
        describe: 'Types of data sources, such as duckdb, that this worker is bound to, with commas between.',
      },
    ),
    slots: setting('SLUICE_WORKER_SLOTS', integerText(1, 16), {
      default: 4,
      describe: 'How many runs this worker holds at once.',
    }),
    heartbeatMs: setting('SLUICE_WORKER_HEARTBEAT_MS', integerText(100, 60_000), {
      default: 5_000,
      describe: 'How often the worker says that it lives and what it runs; well below the lease.',
    }),
    repeatSeconds: setting('SLUICE_WORKER_REPEAT_SECONDS', integerText(1, 600), {
      default: 30,
      describe: 'How long a request that had no answer is repeated. Longer than the lease is of no use.',
    }),
  },
  source: {
    connectTimeoutMs: setting('SLUICE_WORKER_CONNECT_TIMEOUT_MS', integerText(100, 60_000), {
      default: 4_000,
      describe: 'How long a data source may take to accept a connection; below the time in which a run is claimed.',
    }),
    idleSeconds: setting('SLUICE_WORKER_SOURCE_IDLE_SECONDS', integerText(1, 3_600), {
      default: 60,
      describe: 'How long a connection to a data source is kept for the next run.',
    }),
  },
  duckdb: {
    directories: setting(
      'SLUICE_WORKER_DUCKDB_DIRECTORIES',
      listText.pipe(z.array(z.string().startsWith('/', 'must be absolute paths with commas between'))),
      {
        default: '',
        describe:
          'Where the files of DuckDB sources may lie, absolute paths with commas between; without one there can be none. ' +
          'Whoever manages data sources reads every file in them.',
      },
    ),
    memoryMb: setting('SLUICE_WORKER_DUCKDB_MEMORY_MB', integerText(64, 1_048_576), {
      default: 96,
      describe: 'The most memory of one DuckDB source; what needs more is put on disk.',
    }),
    threads: setting('SLUICE_WORKER_DUCKDB_THREADS', integerText(1, 256), {
      default: 2,
      describe: 'The most threads of one DuckDB source.',
    }),
    spillDirectory: setting('SLUICE_WORKER_DUCKDB_SPILL_DIRECTORY', z.string().min(1), {
      default: join(tmpdir(), 'sluice-worker-spill'),
      describe: 'Where DuckDB puts what does not fit its memory.',
    }),
    spillMb: setting('SLUICE_WORKER_DUCKDB_SPILL_MB', integerText(0, 1_048_576), {
      default: 4_096,
      describe: 'The most that one DuckDB source may put there.',
    }),
  },
});

export type WorkerConfig = ConfigOf<typeof workerConfig>;
