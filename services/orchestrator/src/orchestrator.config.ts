import { z } from 'zod';
import {
  databaseSettings,
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
import { isNetwork } from '#libs/outbound';
import { sqlLengthMax } from '#libs/sql';

const hour = 3_600;
const day = 24 * hour;
/**
 * No result answers that is older, whatever is set, but a stale one by as much again. What was invalidated is forgotten by it: a release
 * that raises it must let kept results of before be no older than they were.
 */
export const cacheTtlDaysMax = 7;
const mebibyte = 1024 * 1024;
const quotaMax = Number.MAX_SAFE_INTEGER;
const byteCountMax = 1024 * 1024 * mebibyte;

/** Seconds that may have decimals, so that a test's lease need not take a second. */
function secondsText(min: number, max: number): z.ZodType<number> {
  return z.coerce.number<string>().min(min).max(max);
}

/** Networks as `10.0.0.0/8` or `fd00::/8`. */
const networksText = listText.refine((networks) => networks.every(isNetwork), {
  message: 'must be networks in CIDR notation, such as 10.0.0.0/8',
});

export const orchestratorConfig = defineConfig({
  service: serviceSettings('orchestrator', { metricsPort: 4103 }),
  redis: redisSettings,
  database: databaseSettings('orchestrator'),
  kms: kmsSettings,
  masks: {
    masterKeys: secret('SLUICE_MASTER_KEYS', z.string().min(1), {
      describe: 'The keys that open the data keys of workspaces, of which the keys of HASH masks are made.',
    }),
  },
  limits: {
    rowsDefault: setting('SLUICE_ORCHESTRATOR_LIMIT_ROWS_DEFAULT', integerText(1, 1_000_000_000), {
      default: 1_000_000,
      live: true,
      describe: 'The most rows of a result, where the caller names no limit.',
    }),
    rowsMax: setting('SLUICE_ORCHESTRATOR_LIMIT_ROWS_MAX', integerText(1, 1_000_000_000), {
      default: 10_000_000,
      live: true,
      describe: 'The greatest limit of rows that a caller may ask for.',
    }),
    bytesDefault: setting('SLUICE_ORCHESTRATOR_LIMIT_BYTES_DEFAULT', integerText(1, byteCountMax), {
      default: 1024 * mebibyte,
      live: true,
      describe: 'The most bytes of a result, where the caller names no limit.',
    }),
    bytesMax: setting('SLUICE_ORCHESTRATOR_LIMIT_BYTES_MAX', integerText(1, byteCountMax), {
      default: 2048 * mebibyte,
      live: true,
      describe: 'The greatest limit of bytes that a caller may ask for.',
    }),
    timeoutDefaultSeconds: setting('SLUICE_ORCHESTRATOR_TIMEOUT_DEFAULT_SECONDS', integerText(1, day), {
      default: 300,
      live: true,
      describe: 'How long a query may run at its source, where the caller names no limit.',
    }),
    timeoutScheduledSeconds: setting('SLUICE_ORCHESTRATOR_TIMEOUT_SCHEDULED_SECONDS', integerText(1, day), {
      default: 1_800,
      live: true,
      describe: 'How long a query of the priority SCHEDULED may run at its source, where the caller names no limit.',
    }),
    timeoutMaxSeconds: setting('SLUICE_ORCHESTRATOR_TIMEOUT_MAX_SECONDS', integerText(1, day), {
      default: hour,
      live: true,
      describe: 'The greatest limit of time that a caller may ask for.',
    }),
    sqlBytesMax: setting('SLUICE_ORCHESTRATOR_SQL_BYTES_MAX', integerText(1, 4 * sqlLengthMax), {
      default: 100 * 1024,
      live: true,
      describe: 'The longest SQL text that is taken, in bytes; the proof takes at most 100,000 characters.',
    }),
  },
  cache: {
    adhocTtlSeconds: setting('SLUICE_ORCHESTRATOR_CACHE_TTL_ADHOC_SECONDS', integerText(0, day), {
      default: 300,
      describe: 'How old a kept result may be that answers SQL text, where the caller does not say.',
    }),
    savedTtlSeconds: setting('SLUICE_ORCHESTRATOR_CACHE_TTL_SAVED_SECONDS', integerText(0, day), {
      default: day,
      describe: 'How old a kept result may be for saved queries that do not say.',
    }),
    ttlMaxSeconds: setting('SLUICE_ORCHESTRATOR_CACHE_TTL_MAX_SECONDS', integerText(0, cacheTtlDaysMax * day), {
      default: day,
      describe: 'The greatest age that anybody may ask for; results must be kept for twice as long.',
    }),
    warmUpMax: setting('SLUICE_ORCHESTRATOR_WARM_UP_MAX', integerText(0, 1_000), {
      default: 100,
      describe: 'How many saved queries of one workspace are run again at once after an invalidation; 0: none.',
    }),
    warmUpDelaySeconds: setting('SLUICE_ORCHESTRATOR_WARM_UP_DELAY_SECONDS', secondsText(0, hour), {
      default: 5,
      describe: 'How long after an invalidation that begins; others that come meanwhile are joined with it.',
    }),
  },
  queue: {
    waitMaxSeconds: setting('SLUICE_ORCHESTRATOR_QUEUE_WAIT_MAX_SECONDS', integerText(1, day), {
      default: 900,
      live: true,
      describe: 'How long a run may wait for a slot before it ends as TIMED_OUT.',
    }),
    waitScheduledMaxSeconds: setting('SLUICE_ORCHESTRATOR_QUEUE_WAIT_SCHEDULED_MAX_SECONDS', integerText(1, 7 * day), {
      default: 4 * hour,
      live: true,
      describe: 'How long a run of the priority SCHEDULED may wait for a slot.',
    }),
    workspaceSharePercent: setting('SLUICE_ORCHESTRATOR_QUEUE_WORKSPACE_SHARE_PERCENT', integerText(1, 100), {
      default: 60,
      live: true,
      describe: 'The most of all slots, in percent, that a workspace may hold while it is not alone.',
    }),
    shareHoldSeconds: setting('SLUICE_ORCHESTRATOR_QUEUE_SHARE_HOLD_SECONDS', integerText(0, day), {
      default: 60,
      describe: 'A workspace is alone when no other one runs or waits, or has begun a run for this long.',
    }),
    scheduledSharePercent: setting('SLUICE_ORCHESTRATOR_QUEUE_SCHEDULED_SHARE_PERCENT', integerText(1, 100), {
      default: 50,
      live: true,
      describe: 'The most of all slots, in percent, that runs of the priority SCHEDULED may hold.',
    }),
    workspaceRunsMax: setting('SLUICE_ORCHESTRATOR_WORKSPACE_RUNS_MAX', integerText(1, 100_000), {
      default: 1_000,
      live: true,
      describe: 'The most runs of one workspace at once, over all workers.',
    }),
    promoteSeconds: setting('SLUICE_ORCHESTRATOR_QUEUE_PROMOTE_SECONDS', secondsText(0.1, day), {
      default: 60,
      describe: 'A user’s queue that has waited this long for a turn counts as one priority more urgent.',
    }),
    workspaceDepthMax: setting('SLUICE_ORCHESTRATOR_QUEUE_WORKSPACE_DEPTH_MAX', integerText(1, 1_000_000), {
      default: 20_000,
      live: true,
      describe: 'How many runs of one workspace may wait; one more is refused as RATE_LIMITED.',
    }),
    depthMax: setting('SLUICE_ORCHESTRATOR_QUEUE_DEPTH_MAX', integerText(1, 10_000_000), {
      default: 100_000,
      live: true,
      describe: 'How many runs may wait in all; one more is refused as RATE_LIMITED.',
    }),
    bindingHoldSeconds: setting('SLUICE_ORCHESTRATOR_QUEUE_BINDING_HOLD_SECONDS', secondsText(0.2, day), {
      default: 300,
      describe: 'How long a source stays with the workers that are bound to it after the last of them was heard.',
    }),
    unservedMaxSeconds: setting('SLUICE_ORCHESTRATOR_QUEUE_UNSERVED_MAX_SECONDS', secondsText(0.2, day), {
      default: 120,
      describe: 'How long a run waits while no worker serves its source before it ends as DATA_SOURCE_UNAVAILABLE.',
    }),
    pollMs: setting('SLUICE_ORCHESTRATOR_DISPATCH_POLL_MS', integerText(20, 60_000), {
      default: 1_000,
      describe: 'How often the queue is looked at without being told of a change.',
    }),
    unclaimedMs: setting('SLUICE_ORCHESTRATOR_UNCLAIMED_MS', integerText(100, 600_000), {
      default: 5_000,
      describe: 'How long a dispatched run waits for its claim before it is queued again; doubles with each time.',
    }),
    addTimeoutMs: setting('SLUICE_ORCHESTRATOR_ENQUEUE_TIMEOUT_MS', integerText(50, 60_000), {
      default: 2_000,
      describe: 'How long handing a job to the queue in Redis may take.',
    }),
  },
  allowance: {
    questionsPerSecond: setting('SLUICE_ORCHESTRATOR_QUESTIONS_PER_SECOND', secondsText(0.1, 1_000_000), {
      default: 10,
      live: true,
      describe: 'How many questions a user may ask a second, however they are answered.',
    }),
    questionsBurst: setting('SLUICE_ORCHESTRATOR_QUESTIONS_BURST', integerText(1, 1_000_000), {
      default: 50,
      live: true,
      describe: 'How many questions a user may ask at once after a pause.',
    }),
    runsPerMinute: setting('SLUICE_ORCHESTRATOR_RUNS_PER_MINUTE', integerText(1, 1_000_000), {
      default: 60,
      live: true,
      describe: 'How many runs at data sources a user may begin a minute. Answers that were kept or shared are none.',
    }),
    userExecutions: setting('SLUICE_ORCHESTRATOR_QUOTA_USER_EXECUTIONS', integerText(0, quotaMax).optional(), {
      live: true,
      describe:
        'How many runs one user may begin in a day of UTC; unlimited where absent. Answers that were kept or shared are none.',
    }),
    userSeconds: setting('SLUICE_ORCHESTRATOR_QUOTA_USER_SECONDS', integerText(0, quotaMax).optional(), {
      live: true,
      describe: 'How many seconds at data sources one user may use in a day; unlimited where absent.',
    }),
    userRows: setting('SLUICE_ORCHESTRATOR_QUOTA_USER_ROWS', integerText(0, quotaMax).optional(), {
      live: true,
      describe: 'How many rows one user may read in a day; unlimited where absent.',
    }),
    userBytes: setting('SLUICE_ORCHESTRATOR_QUOTA_USER_BYTES', integerText(0, quotaMax).optional(), {
      live: true,
      describe: 'How many bytes one user may read in a day; unlimited where absent.',
    }),
    workspaceExecutions: setting(
      'SLUICE_ORCHESTRATOR_QUOTA_WORKSPACE_EXECUTIONS',
      integerText(0, quotaMax).optional(),
      {
        live: true,
        describe:
          'How many runs one workspace may begin in a day of UTC; unlimited where absent. Answers that were kept or shared are none.',
      },
    ),
    workspaceSeconds: setting('SLUICE_ORCHESTRATOR_QUOTA_WORKSPACE_SECONDS', integerText(0, quotaMax).optional(), {
      live: true,
      describe: 'How many seconds at data sources one workspace may use in a day; unlimited where absent.',
    }),
    workspaceRows: setting('SLUICE_ORCHESTRATOR_QUOTA_WORKSPACE_ROWS', integerText(0, quotaMax).optional(), {
      live: true,
      describe: 'How many rows one workspace may read in a day; unlimited where absent.',
    }),
    workspaceBytes: setting('SLUICE_ORCHESTRATOR_QUOTA_WORKSPACE_BYTES', integerText(0, quotaMax).optional(), {
      live: true,
      describe: 'How many bytes one workspace may read in a day; unlimited where absent.',
    }),
  },
  lease: {
    leaseSeconds: setting('SLUICE_ORCHESTRATOR_LEASE_SECONDS', secondsText(0.2, 600), {
      default: 30,
      describe: 'How long a run is a silent worker’s. Workers tell of themselves six times in it.',
    }),
    workerLiveSeconds: setting('SLUICE_ORCHESTRATOR_WORKER_LIVE_SECONDS', secondsText(0.2, 600), {
      default: 30,
      describe: 'How long the slots of a silent worker count.',
    }),
    reapMs: setting('SLUICE_ORCHESTRATOR_REAP_MS', integerText(20, 60_000), {
      default: 1_000,
      describe: 'How often lost jobs, expired leases and passed deadlines are looked for.',
    }),
    stopGraceMs: setting('SLUICE_ORCHESTRATOR_STOP_GRACE_MS', integerText(50, 60_000), {
      default: 3_000,
      describe: 'How long a worker has to end a run by itself when it is stopped or its time is up.',
    }),
    stopRequestMs: setting('SLUICE_ORCHESTRATOR_STOP_REQUEST_MS', integerText(50, 60_000), {
      default: 500,
      describe: 'How long the worker’s answer to a stop is awaited before any other cancels at the source.',
    }),
    cancelAtSourceMs: setting('SLUICE_ORCHESTRATOR_CANCEL_AT_SOURCE_MS', integerText(50, 60_000), {
      default: 5_000,
      describe: 'How long cancelling at the source may take; after that the run ends all the same.',
    }),
    attemptsMax: setting('SLUICE_ORCHESTRATOR_ATTEMPTS_MAX', integerText(1, 20), {
      default: 3,
      describe: 'How often a run is tried while it has shown no row.',
    }),
    retryInitialMs: setting('SLUICE_ORCHESTRATOR_RETRY_INITIAL_MS', integerText(1, 60_000), {
      default: 500,
      describe: 'The wait before the second try; it doubles from try to try, with jitter, up to 30 s.',
    }),
  },
  webhooks: {
    allowedNetworks: setting('SLUICE_ORCHESTRATOR_WEBHOOK_ALLOWED_NETWORKS', networksText, {
      default: '',
      describe:
        'Networks in CIDR notation, between commas, that webhooks may reach although they are not public, also by plain HTTP.',
    }),
    pollMs: setting('SLUICE_ORCHESTRATOR_WEBHOOK_POLL_MS', integerText(20, 60_000), {
      default: 1_000,
      describe: 'How often webhooks are looked at for what they have to tell.',
    }),
    timeoutMs: setting('SLUICE_ORCHESTRATOR_WEBHOOK_TIMEOUT_MS', integerText(100, 60_000), {
      default: 10_000,
      describe: 'How long a receiver of a webhook may take to answer.',
    }),
    attemptsMax: setting('SLUICE_ORCHESTRATOR_WEBHOOK_ATTEMPTS_MAX', integerText(1, 50), {
      default: 16,
      describe: 'How often a delivery of a webhook is tried.',
    }),
    retryInitialMs: setting('SLUICE_ORCHESTRATOR_WEBHOOK_RETRY_INITIAL_MS', integerText(10, 3_600_000), {
      default: 5_000,
      describe: 'The wait before the second try of a delivery; it doubles from try to try, with jitter, up to 12 h.',
    }),
    inFlightMax: setting('SLUICE_ORCHESTRATOR_WEBHOOK_IN_FLIGHT_MAX', integerText(1, 1_000), {
      default: 64,
      describe: 'How many deliveries one orchestrator has under way at once.',
    }),
    receiverInFlightMax: setting('SLUICE_ORCHESTRATOR_WEBHOOK_RECEIVER_IN_FLIGHT_MAX', integerText(1, 100), {
      default: 4,
      describe: 'How many of one webhook are under way at once, over all orchestrators; one while it fails.',
    }),
    pendingMax: setting('SLUICE_ORCHESTRATOR_WEBHOOK_PENDING_MAX', integerText(1, 1_000_000), {
      default: 1_000,
      describe: 'How many deliveries of one webhook wait; what ends meanwhile is told once there is room.',
    }),
    giveUpSeconds: setting('SLUICE_ORCHESTRATOR_WEBHOOK_GIVE_UP_SECONDS', secondsText(0, 365 * day), {
      default: 5 * day,
      describe: 'How long a receiver may fail at every try before its webhook is given up.',
    }),
    logDays: setting('SLUICE_ORCHESTRATOR_WEBHOOK_LOG_DAYS', integerText(1, 365), {
      default: 14,
      describe: 'How long deliveries of webhooks are kept.',
    }),
  },
  history: {
    keepDays: setting('SLUICE_ORCHESTRATOR_HISTORY_DAYS', integerText(1, 3_650), {
      default: 30,
      describe: 'How long finished executions are kept.',
    }),
    sweepSeconds: setting('SLUICE_ORCHESTRATOR_HISTORY_SWEEP_SECONDS', integerText(1, day), {
      default: 300,
      describe: 'How often old executions, idempotency keys and workers are deleted.',
    }),
  },
});

export type OrchestratorConfig = ConfigOf<typeof orchestratorConfig>;
