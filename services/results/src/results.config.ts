import {
  databaseSettings,
  defineConfig,
  integerText,
  redisSettings,
  serviceSettings,
  setting,
  type ConfigOf,
} from '#libs/config';
import { resultStoreSettings } from '#libs/result-store';

const day = 24 * 60 * 60;

export const resultsConfig = defineConfig({
  service: serviceSettings('results', { metricsPort: 4105 }),
  redis: redisSettings,
  database: databaseSettings('results'),
  store: resultStoreSettings,
  retention: {
    ttlSeconds: setting('SLUICE_RESULTS_TTL_SECONDS', integerText(1, 3_650 * day), {
      default: 7 * day,
      describe:
        'How long the rows of a result can be read, counted from its last row; at least twice SLUICE_ORCHESTRATOR_CACHE_TTL_MAX_SECONDS.',
    }),
    cacheTtlMaxSeconds: setting('SLUICE_ORCHESTRATOR_CACHE_TTL_MAX_SECONDS', integerText(0, 7 * day), {
      default: day,
      describe: 'As the orchestrator has it: results are kept for as long as they may answer.',
    }),
    graceSeconds: setting('SLUICE_RESULTS_GRACE_SECONDS', integerText(0, day), {
      default: 60,
      describe: 'How long after their expiry rows are kept for readers who had already begun.',
    }),
    writingMaxSeconds: setting('SLUICE_RESULTS_WRITING_MAX_SECONDS', integerText(60, 3_650 * day), {
      default: 2 * day,
      describe: 'A result that is still open after this long is closed as it is; longer than any run may take.',
    }),
    recordDays: setting('SLUICE_RESULTS_RECORD_DAYS', integerText(1, 10 * 365), {
      default: 90,
      describe:
        'How long the columns and counts of an expired result are remembered; behind that its execution alone tells of it.',
    }),
    expirySweepSeconds: setting('SLUICE_RESULTS_EXPIRY_SWEEP_SECONDS', integerText(1, day), {
      default: 60,
      describe: 'How often expired results are deleted.',
    }),
    workspaceBytesMax: setting('SLUICE_RESULTS_WORKSPACE_BYTES_MAX', integerText(0, Number.MAX_SAFE_INTEGER), {
      default: 0,
      describe:
        'How many bytes of results a workspace keeps that says nothing itself; the oldest go first, and never what may still ' +
        'answer others. 0: no limit.',
    }),
    limitSweepSeconds: setting('SLUICE_RESULTS_LIMIT_SWEEP_SECONDS', integerText(1, day), {
      default: 300,
      describe:
        'How often workspaces are held to their limits of days and bytes, and the bytes of all kept results are summed up.',
    }),
    orphanSweepSeconds: setting('SLUICE_RESULTS_ORPHAN_SWEEP_SECONDS', integerText(60, 30 * day), {
      default: 6 * 60 * 60,
      describe: 'How often the store is searched for files that no result names.',
    }),
  },
});

export type ResultsConfig = ConfigOf<typeof resultsConfig>;
