import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { CONFIG } from '#libs/config';
import { secretControllerOf } from '#libs/service';
import { secretRequests } from '#libs/contracts';
import { DataSource } from 'typeorm';
import { databaseModule, Resealer } from '#libs/database';
import { ReceiverClient } from '#libs/receivers';
import { RedisConnections, RevisionCopies, TokenBuckets } from '#libs/redis';
import { QuestionRate } from './allowance/question-rate.service.js';
import { QuotaController } from './allowance/quota.controller.js';
import { QuotaRepository } from './allowance/quota.repository.js';
import { QuotaService } from './allowance/quota.service.js';
import { DispatchRepository } from './dispatch/dispatch.repository.js';
import { DispatcherService } from './dispatch/dispatcher.service.js';
import { runQueueName, runQueueOptions } from './dispatch/run-queue.options.js';
import { RunQueueStore } from './dispatch/run-queue.store.js';
import { CacheController } from './cache/cache.controller.js';
import { CacheMetrics } from './cache/cache.metrics.js';
import { CacheRepository } from './cache/cache.repository.js';
import { CacheService } from './cache/cache.service.js';
import { RepeatedHitsRepository } from './cache/repeated-hits.repository.js';
import { RepeatedHitsService } from './cache/repeated-hits.service.js';
import { CancelRepository } from './execution/cancel.repository.js';
import { CancelService } from './execution/cancel.service.js';
import { ExecutionController } from './execution/execution.controller.js';
import { ExecutionRepository } from './execution/execution.repository.js';
import { ExecutionService } from './execution/execution.service.js';
import { FinishedRepository } from './execution/finished.repository.js';
import { HealthController } from './health/health.controller.js';
import { WorkHealthRepository } from './health/work-health.repository.js';
import { WorkHealth } from './health/work-health.service.js';
import { RevisionHistoryRepository } from './cache/revision-history.repository.js';
import { RevisionHistoryService } from './cache/revision-history.service.js';
import { HistoryRepository } from './history/history.repository.js';
import { sealedPlaces } from './key-rotation/sealed-places.js';
import { migrations } from './migrations/migrations.js';
import { HistoryLoop } from './history/history-loop.service.js';
import { HistoryService } from './history/history.service.js';
import { KillRepository } from './operations/kill.repository.js';
import { OperationsController } from './operations/operations.controller.js';
import { OperationsRepository } from './operations/operations.repository.js';
import { OperationsService } from './operations/operations.service.js';
import { WorkerListRepository } from './operations/worker-list.repository.js';
import { StateMetrics } from './observing/state-metrics.service.js';
import { StateRepository } from './observing/state.repository.js';
import type { OrchestratorConfig } from './orchestrator.config.js';
import { AuthClient } from './plan/auth.client.js';
import { TemplateCallers } from './plan/template-callers.service.js';
import { QueryPlanner } from './plan/query-planner.service.js';
import { CallerMemory } from './policy/caller.memory.js';
import { DataKeys } from './policy/data-keys.js';
import { MaskKeys } from './policy/mask-keys.js';
import { PolicyService } from './policy/policy.service.js';
import { ValueSeals } from './policy/value-seals.js';
import { HearingRepository } from './reaping/hearing.repository.js';
import { ReaperLoop } from './reaping/reaper-loop.service.js';
import { ReaperRepository } from './reaping/reaper.repository.js';
import { ReaperService } from './reaping/reaper.service.js';
import { ResultsClient } from './reaping/results.client.js';
import { SnapshotRepository } from './reaping/snapshot.repository.js';
import { SourceCancelService } from './reaping/source-cancel.service.js';
import { StopService } from './reaping/stop.service.js';
import { WorkerClient } from './reaping/worker.client.js';
import { AttemptService } from './run/attempt.service.js';
import { ClaimService } from './run/claim.service.js';
import { FinishService } from './run/finish.service.js';
import { RunChanges } from './run/run-changes.service.js';
import { RunMetrics } from './run/run-metrics.service.js';
import { RunController } from './run/run.controller.js';
import { RunRepository } from './run/run.repository.js';
import { MetadataClient } from './source/metadata.client.js';
import { RunnableMemory } from './source/runnable.memory.js';
import { SourceConsumer } from './source/source.consumer.js';
import { SourceRepository } from './source/source.repository.js';
import { SourceService } from './source/source.service.js';
import { EstimateController } from './estimate/estimate.controller.js';
import { EstimateService } from './estimate/estimate.service.js';
import { AssetAccess } from './access/asset-access.service.js';
import { LostAccessLoop } from './access/lost-access-loop.service.js';
import { LostAccessRepository } from './access/lost-access.repository.js';
import { LostAccessService } from './access/lost-access.service.js';
import { SubmissionController } from './submission/submission.controller.js';
import { SubmissionRepository } from './submission/submission.repository.js';
import { QuestionService } from './submission/question.service.js';
import { SubmitService } from './submission/submit.service.js';
import { WebhookController } from './webhook/webhook.controller.js';
import { WebhookDeliveryRepository } from './webhook/webhook-delivery.repository.js';
import { WebhookDeliveryService } from './webhook/webhook-delivery.service.js';
import { WebhookFeedRepository } from './webhook/webhook-feed.repository.js';
import { WebhookLoop } from './webhook/webhook-loop.service.js';
import { WebhookRepository } from './webhook/webhook.repository.js';
import { WebhookService } from './webhook/webhook.service.js';
import { HeartbeatController } from './worker/heartbeat.controller.js';
import { HeartbeatRepository } from './worker/heartbeat.repository.js';
import { HeartbeatService } from './worker/heartbeat.service.js';
import { WarmUpLoop } from './warm-up/warm-up-loop.service.js';
import { WarmUpRepository } from './warm-up/warm-up.repository.js';
import { WarmUpService } from './warm-up/warm-up.service.js';

@Module({
  imports: [
    databaseModule({ entities: [], migrations }),
    BullModule.registerQueueAsync({
      name: runQueueName,
      inject: [CONFIG, RedisConnections],
      useFactory: runQueueOptions,
    }),
  ],
  controllers: [
    SubmissionController,
    EstimateController,
    CacheController,
    ExecutionController,
    QuotaController,
    RunController,
    HeartbeatController,
    WebhookController,
    secretControllerOf(secretRequests.orchestrator, Resealer),
    SourceConsumer,
    HealthController,
    OperationsController,
  ],
  providers: [
    ...[QueryPlanner, TemplateCallers, AuthClient],
    ...[PolicyService, CallerMemory, DataKeys, MaskKeys, ValueSeals],
    ...[QuestionService, SubmitService, SubmissionRepository, EstimateService, CacheService, CacheRepository],
    ...[CacheMetrics, RepeatedHitsService, RepeatedHitsRepository],
    ...[AssetAccess, ExecutionService, ExecutionRepository, FinishedRepository, CancelService, CancelRepository],
    ...[RunRepository, RunChanges, RunMetrics, ClaimService, FinishService, AttemptService],
    ...[QuestionRate, QuotaService, QuotaRepository],
    ...[DispatcherService, DispatchRepository, RunQueueStore],
    ...[HeartbeatService, HeartbeatRepository],
    ...[SourceService, SourceRepository, MetadataClient, RunnableMemory],
    {
      provide: RevisionCopies,
      inject: [RedisConnections],
      useFactory: (redis: RedisConnections) => new RevisionCopies(redis),
    },
    {
      provide: TokenBuckets,
      inject: [RedisConnections],
      useFactory: (redis: RedisConnections) => new TokenBuckets(redis),
    },
    ...[
      ReaperLoop,
      HearingRepository,
      ReaperService,
      ReaperRepository,
      StopService,
      SourceCancelService,
      SnapshotRepository,
    ],
    ...[WorkHealth, WorkHealthRepository],
    ...[OperationsService, OperationsRepository, KillRepository, WorkerListRepository],
    ...[WorkerClient, ResultsClient],
    ...[LostAccessLoop, LostAccessService, LostAccessRepository],
    ...[HistoryLoop, HistoryService, HistoryRepository],
    ...[RevisionHistoryService, RevisionHistoryRepository],
    ...[StateMetrics, StateRepository],
    ...[WarmUpLoop, WarmUpService, WarmUpRepository],
    ...[WebhookLoop, WebhookService, WebhookRepository],
    {
      provide: ReceiverClient,
      inject: [CONFIG],
      useFactory: ({ webhooks }: OrchestratorConfig) => new ReceiverClient(webhooks),
    },
    ...[WebhookDeliveryService, WebhookDeliveryRepository, WebhookFeedRepository],
    {
      provide: Resealer,
      inject: [DataSource, DataKeys, AuthClient],
      useFactory: (database: DataSource, { masterKeys }: DataKeys, auth: AuthClient) =>
        new Resealer(database, masterKeys, sealedPlaces, (id) => auth.getDataKey(id)),
    },
  ],
})
export class OrchestratorModule {}
