import { randomBytes } from 'node:crypto';
import { loadConfig } from '#libs/config';
import { serviceContext, type BusContext } from '#libs/bus';
import {
  accessRequests,
  metadataRequests,
  resultsRequests,
  type Execution,
  type RequestOf,
  type runRequests,
  type RunPlan,
  type SourceConnection,
} from '#libs/contracts';
import { AuditRepository, InboxRepository, OutboxRepository, ReplicaReader } from '#libs/database';
import { AccessView, type Principal, type TokenVerifier } from '#libs/identity';
import type { ResolveName } from '#libs/outbound';
import { ReceiverClient } from '#libs/receivers';
import type { RevisionCopies } from '#libs/redis';
import { AppError, newId, SystemClock, type Clock } from '#libs/kernel';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import { AssetAccess } from '../src/access/asset-access.service.js';
import { CacheMetrics } from '../src/cache/cache.metrics.js';
import { CacheRepository } from '../src/cache/cache.repository.js';
import { CacheService } from '../src/cache/cache.service.js';
import { DispatchRepository } from '../src/dispatch/dispatch.repository.js';
import { DispatcherService } from '../src/dispatch/dispatcher.service.js';
import type { RunQueueStore } from '../src/dispatch/run-queue.store.js';
import { CancelRepository } from '../src/execution/cancel.repository.js';
import { CancelService } from '../src/execution/cancel.service.js';
import { ExecutionRepository } from '../src/execution/execution.repository.js';
import { ExecutionService } from '../src/execution/execution.service.js';
import { FinishedRepository } from '../src/execution/finished.repository.js';
import { RevisionHistoryRepository } from '../src/cache/revision-history.repository.js';
import { RevisionHistoryService } from '../src/cache/revision-history.service.js';
import { HistoryRepository } from '../src/history/history.repository.js';
import { HistoryService } from '../src/history/history.service.js';
import { WorkHealthRepository } from '../src/health/work-health.repository.js';
import { WorkHealth } from '../src/health/work-health.service.js';
import { KillRepository } from '../src/operations/kill.repository.js';
import { OperationsRepository } from '../src/operations/operations.repository.js';
import { OperationsService } from '../src/operations/operations.service.js';
import { WorkerListRepository } from '../src/operations/worker-list.repository.js';
import { orchestratorConfig, type OrchestratorConfig } from '../src/orchestrator.config.js';
import { AuthClient } from '../src/plan/auth.client.js';
import { TemplateCallers } from '../src/plan/template-callers.service.js';
import { QueryPlanner } from '../src/plan/query-planner.service.js';
import { CallerMemory } from '../src/policy/caller.memory.js';
import { DataKeys } from '../src/policy/data-keys.js';
import { MaskKeys } from '../src/policy/mask-keys.js';
import { PolicyService } from '../src/policy/policy.service.js';
import { ValueSeals } from '../src/policy/value-seals.js';
import { ReaperRepository } from '../src/reaping/reaper.repository.js';
import { ReaperService } from '../src/reaping/reaper.service.js';
import { ResultsClient } from '../src/reaping/results.client.js';
import { SnapshotRepository } from '../src/reaping/snapshot.repository.js';
import { SourceCancelService } from '../src/reaping/source-cancel.service.js';
import { StopService } from '../src/reaping/stop.service.js';
import { WorkerClient } from '../src/reaping/worker.client.js';
import { AttemptService } from '../src/run/attempt.service.js';
import { ClaimService } from '../src/run/claim.service.js';
import { FinishService } from '../src/run/finish.service.js';
import { RunChanges } from '../src/run/run-changes.service.js';
import { RunMetrics } from '../src/run/run-metrics.service.js';
import { RunRepository } from '../src/run/run.repository.js';
import { MetadataClient } from '../src/source/metadata.client.js';
import { RunnableMemory } from '../src/source/runnable.memory.js';
import { SourceRepository } from '../src/source/source.repository.js';
import { SourceService } from '../src/source/source.service.js';
import { SubmissionRepository } from '../src/submission/submission.repository.js';
import { QuestionService } from '../src/submission/question.service.js';
import { SubmitService } from '../src/submission/submit.service.js';
import { HeartbeatRepository } from '../src/worker/heartbeat.repository.js';
import { HeartbeatService } from '../src/worker/heartbeat.service.js';
import { WarmUpRepository } from '../src/warm-up/warm-up.repository.js';
import { WarmUpService } from '../src/warm-up/warm-up.service.js';
import { WebhookDeliveryRepository } from '../src/webhook/webhook-delivery.repository.js';
import { WebhookDeliveryService } from '../src/webhook/webhook-delivery.service.js';
import { WebhookFeedRepository } from '../src/webhook/webhook-feed.repository.js';
import { WebhookRepository } from '../src/webhook/webhook.repository.js';
import { WebhookService } from '../src/webhook/webhook.service.js';
import type { TestDatabase } from './data-source.js';
import { FakeBus } from './fake-bus.js';

/** As where Redis is away: nothing is kept, and every question asks metadata. */
const noRevisions = {
  read: async () => undefined,
  raise: async () => undefined,
} as unknown as RevisionCopies;

const masterKeys = `k1:${randomBytes(32).toString('base64')}`;

/** A token of these tests begins with the id of its user and of the workspace, and is good unless it is among the expired. */
const tokenVerifier = (expired: ReadonlySet<string>): Pick<TokenVerifier, 'verify'> => ({
  async verify(token) {
    if (expired.has(token)) throw new AppError('auth.token_expired', 'The access token has expired.');
    const [userId = '', workspaceId = ''] = token.split(' ');
    return newPrincipal({ userId, workspaceId, permissions: new Set(['saved_query.run']) });
  },
});

type Overrides = { [K in keyof OrchestratorConfig]?: Partial<OrchestratorConfig[K]> };

/** One orchestrator on a real database, with a bus that the test answers; unless it has a queue, the test reads the jobs. */
export function startOrchestrator(
  dataSource: TestDatabase,
  overrides: Overrides = {},
  store?: RunQueueStore,
  clock: Clock = new SystemClock(),
) {
  const config = newConfig(overrides);
  const bus = new FakeBus();
  const logger = AppLogger.create({ service: 'orchestrator', instance: 'o1', level: 'silent' });
  const metrics = new MetricsRegistry('orchestrator');
  const jobs: RunPlan[] = [];
  const expiredTokens = new Set<string>();
  // The one method that the orchestrator calls.
  const queue = store ?? ({ add: (plan: RunPlan) => void jobs.push(plan) } as unknown as RunQueueStore);
  const audit = new AuditRepository(new OutboxRepository('orchestrator'), 'orchestrator');
  const runs = new RunRepository(dataSource, new OutboxRepository('orchestrator'));
  const changes = new RunChanges(bus.asClient(), new RunMetrics(metrics));
  const metadata = new MetadataClient(bus.asClient());
  const runnables = new RunnableMemory(metadata, noRevisions, logger);
  bus.answerFirst(accessRequests.listRestrictions, () => ({ revision: 1, accessRevision: 0, restrictions: [] }));
  const restrictions = {
    restrictions: (workspaceId: string, knownRevision: number) =>
      bus
        .asClient()
        .request(
          accessRequests.listRestrictions,
          { workspaceId, knownRevision },
          { context: serviceContext('orchestrator', workspaceId) },
        ),
  };
  const access = new AssetAccess(new AccessView(restrictions), noRevisions);
  const auth = new AuthClient(bus.asClient());
  const callers = new CallerMemory(auth);
  const dataKeys = new DataKeys(auth, config);
  const results = new ResultsClient(bus.asClient());
  const workers = new WorkerClient(bus.asClient());
  const snapshots = new SnapshotRepository(dataSource);
  const sources = new SourceCancelService(metadata, snapshots, workers, logger, config, metrics);
  const stops = new StopService(runs, changes, workers, sources, results, logger, config);
  const attempts = new AttemptService(runs, results, sources, changes, config);
  const executions = new ExecutionService(
    new ExecutionRepository(dataSource, new ReplicaReader(dataSource, undefined)),
    new FinishedRepository(dataSource),
    access,
  );
  const dispatch = new DispatchRepository(dataSource, config);
  const submissions = new SubmissionRepository(dataSource, config);
  const finishes = new FinishService(runs, attempts, changes, logger);
  const cacheMetrics = new CacheMetrics(metrics);
  const deliveries = new WebhookDeliveryRepository(dataSource);
  const questions = new QuestionService(
    runnables,
    access,
    new PolicyService(metadata, callers, new MaskKeys(dataKeys), clock),
    new QueryPlanner(logger),
    new TemplateCallers(callers),
    metadata,
    config,
    clock,
  );
  const submit = new SubmitService(
    submissions,
    questions,
    executions,
    new ValueSeals(dataKeys),
    queue,
    changes,
    cacheMetrics,
    logger,
    config,
  );
  const history = new HistoryService(
    new HistoryRepository(dataSource),
    deliveries,
    new RevisionHistoryService(new RevisionHistoryRepository(dataSource)),
    metadata,
    logger,
    config,
    metrics,
  );
  return {
    bus,
    jobs,
    expiredTokens,
    runs,
    stops,
    executions,
    dispatch,
    submissions,
    webhooks: (resolve?: ResolveName) => {
      const receivers = new ReceiverClient(config.webhooks, resolve);
      const feed = new WebhookFeedRepository(dataSource);
      return {
        management: new WebhookService(new WebhookRepository(dataSource, audit), deliveries, receivers, dataKeys),
        /** Each look is the test's. */
        sending: new WebhookDeliveryService(feed, deliveries, receivers, logger, config, clock, metrics),
      };
    },
    /** Not begun by itself: most tests dispatch when they want to. */
    newDispatcher: () => new DispatcherService(dispatch, queue, logger, config, changes, metrics),
    questions,
    submit,
    warmUps: new WarmUpService(
      new WarmUpRepository(dataSource),
      metadata,
      auth,
      tokenVerifier(expiredTokens) as TokenVerifier,
      submit,
      logger,
      config,
      metrics,
    ),
    operations: new OperationsService(
      new OperationsRepository(dataSource),
      new WorkerListRepository(dataSource, audit),
      new KillRepository(dataSource, runs, audit),
      changes,
      stops,
      workers,
      auth,
      logger,
      config,
    ),
    workHealth: new WorkHealth(new WorkHealthRepository(dataSource), config),
    cache: new CacheService(new CacheRepository(dataSource, audit), cacheMetrics, logger, config),
    cancels: new CancelService(new CancelRepository(dataSource, runs, audit), executions, changes, stops),
    claims: new ClaimService(runs, changes, config),
    /** As the worker asks for it, whose request carries the run's workspace. */
    finish: async (input: Parameters<FinishService['finish']>[0]) => {
      const { workspaceId = '', requestId = '' } = (await runs.find(input.runId)) ?? {};
      return finishes.finish(input, { workspaceId, requestId });
    },
    heartbeats: new HeartbeatService(new HeartbeatRepository(dataSource), changes, config),
    reaper: new ReaperService(
      new ReaperRepository(dataSource),
      runs,
      attempts,
      stops,
      changes,
      logger,
      config,
      metrics,
    ),
    sourceService: new SourceService(new SourceRepository(dataSource, new InboxRepository()), runs, changes),
    history: { purge: () => history.purge(new AbortController().signal) },
  };
}

export type Orchestrator = ReturnType<typeof startOrchestrator>;

/** Settings as they are by default, but for what a test needs otherwise. */
export function newConfig(overrides: Overrides = {}): OrchestratorConfig {
  const config = loadConfig(orchestratorConfig, {
    SLUICE_REDIS_URL: 'redis://127.0.0.1:1',
    SLUICE_DATABASE_URL: 'postgresql://127.0.0.1:1/none',
    SLUICE_MASTER_KEYS: masterKeys,
  });
  const merged = Object.entries(config).map(([group, values]) => [
    group,
    { ...values, ...overrides[group as keyof OrchestratorConfig] },
  ]);
  // The same groups with the same members, some of other values.
  return Object.fromEntries(merged) as OrchestratorConfig;
}

export function newPrincipal(part: Partial<Principal> = {}): Principal {
  return {
    userId: newId('user'),
    workspaceId: newId('workspace'),
    permissions: new Set(['query.run', 'saved_query.run']),
    groups: [],
    issuedAt: new Date(),
    expiresAt: new Date(Date.now() + 60_000),
    ...part,
  };
}

export function newSource(workspaceId: string, part: Partial<SourceConnection> = {}): SourceConnection {
  return {
    id: newId('dataSource'),
    workspaceId,
    name: 'flights',
    type: 'postgres',
    version: 1,
    options: { host: 'db' },
    maxConcurrentExecutions: 1_000,
    paused: false,
    ...part,
  };
}

/** Has metadata know one source and results know of no row. */
export function answerAround(bus: FakeBus, source: SourceConnection): void {
  bus.answer(metadataRequests.resolveRunnable, () => ({ source, revision: 1 }));
  bus.answer(metadataRequests.listHistoryRetentions, () => ({ retentions: [] }));
  bus.answer(metadataRequests.getSourceConnections, () => ({ sources: [source] }));
  bus.answer(resultsRequests.fenceRun, () => ({ sealed: false, pagesCommitted: 0, rowCount: 0, byteCount: 0 }));
}

interface Binding {
  readonly queue?: string;
  readonly sourceIds?: string[];
  readonly sourceTypes?: string[];
}

/** What a worker process does, by hand. */
export class TestWorker {
  constructor(
    private readonly orchestrator: Orchestrator,
    readonly id = newId('worker'),
  ) {}

  async announce(slots: number, { queue = '', sourceIds = [], sourceTypes = [] }: Binding = {}): Promise<void> {
    const beat = { workerId: this.id, pool: 'default', slots, runs: [], queue, sourceIds, sourceTypes };
    await this.orchestrator.heartbeats.beat(beat);
  }

  async claim({ runId, fence }: { runId: string; fence: number }): Promise<boolean> {
    const handle = { values: { backend_pid: `${fence}` } };
    const { granted } = await this.orchestrator.claims.claim({ runId, fence, workerId: this.id, handle });
    return granted;
  }

  async succeed({ runId, fence }: { runId: string; fence: number }): Promise<boolean> {
    const { accepted } = await this.orchestrator.finish({
      runId,
      fence,
      outcome: { case: 'succeeded', value: { rows: 3, bytes: 30 } },
    });
    return accepted;
  }
}

/** The context of a caller's request; the bus is a fake, so it carries no proof of who asks. */
export function newContext(principal: Principal): BusContext {
  return {
    workspaceId: principal.workspaceId,
    requestId: newId('request'),
    actor: { case: 'accessToken', value: `token of ${principal.userId}` },
    signal: new AbortController().signal,
    remainingMs: () => 10_000,
  } as unknown as BusContext;
}

export async function submitSql(
  orchestrator: Orchestrator,
  principal: Principal,
  source: SourceConnection,
  text: string,
  more: Partial<RequestOf<typeof runRequests.submitExecution>> = {},
): Promise<Execution> {
  const { execution } = await orchestrator.submit.submit(
    {
      query: { case: 'sql', value: { dataSourceId: source.id, text, parameterDefinitions: [] } },
      priority: 'INTERACTIVE',
      queryOptions: [],
      ...more,
    },
    principal,
    newContext(principal),
  );
  return execution;
}

/** One whole look of a reaper, with all that it settles. */
export async function sweep({ reaper }: Orchestrator, mayExpire = true): Promise<void> {
  await reaper.sweep(mayExpire);
  await reaper.settle();
}
