import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { BusClient, serviceContext } from '#libs/bus';
import { CONFIG } from '#libs/config';
import { authRequests } from '#libs/contracts';
import { DataKeys, MasterKeys } from '#libs/encryption';
import { RedisConnections } from '#libs/redis';
import { openPageStore, PageStore } from '#libs/result-store';
import { AccessRecorder } from '#libs/service';
import { AppLogger } from '#libs/telemetry';
import { ConnectorRegistry } from './connector/connector-registry.js';
import { HeartbeatService } from './run/heartbeat.service.js';
import { HeldRuns } from './run/held-runs.js';
import { RepeatingRequests } from './run/repeating-requests.js';
import { RunClient } from './run/run.client.js';
import { RunExecutionService } from './run/run-execution.service.js';
import { RunMetrics } from './run/run-metrics.js';
import { RunProcessor, runProcessorOf } from './run/run.processor.js';
import { runQueueName } from './run/run-queue-name.js';
import { runQueueOptions } from './run/run-queue.options.js';
import { TakingRuns } from './run/taking-runs.js';
import { WorkerDrain } from './run/worker-drain.js';
import { WorkerStart } from './run/worker-start.js';
import { EstimateService } from './source/estimate.service.js';
import { SourceController } from './source/source.controller.js';
import { SecretReads } from './source/secret-reads.js';
import { SourceOpener } from './source/source-opener.js';
import { SourceService } from './source/source.service.js';
import { SourceSessions } from './source/source-sessions.js';
import { StoreCheckService } from './source/store-check.service.js';
import { TrialService } from './source/trial.service.js';
import type { WorkerConfig } from './worker.config.js';

@Module({
  imports: [
    // The queue is the orchestrator's; this registers what finds processors, and no queue.
    BullModule.registerQueue(),
    BullModule.forRootAsync({
      inject: [RedisConnections],
      useFactory: runQueueOptions,
    }),
  ],
  controllers: [SourceController],
  providers: [
    {
      provide: PageStore,
      inject: [CONFIG, BusClient],
      useFactory: (config: WorkerConfig, bus: BusClient) => openPageStore(config.store, dataKeysOf(config, bus)),
    },
    {
      provide: RunProcessor,
      inject: [CONFIG, RunExecutionService, AppLogger],
      useFactory: ({ run }: WorkerConfig, runs: RunExecutionService, logger: AppLogger) =>
        runProcessorOf({ queue: runQueueName(run), slots: run.slots }, runs, logger),
    },
    {
      provide: AccessRecorder,
      inject: [BusClient],
      useFactory: (bus: BusClient) => new AccessRecorder(bus, 'worker'),
    },
    ConnectorRegistry,
    EstimateService,
    SourceSessions,
    TrialService,
    SecretReads,
    SourceOpener,
    SourceService,
    StoreCheckService,
    HeldRuns,
    RepeatingRequests,
    RunClient,
    RunMetrics,
    RunExecutionService,
    HeartbeatService,
    TakingRuns,
    WorkerDrain,
    WorkerStart,
  ],
})
export class WorkerModule {}

function dataKeysOf(config: WorkerConfig, bus: BusClient): DataKeys {
  return new DataKeys(MasterKeys.parse(config.masterKeys), (workspaceId) =>
    bus.request(authRequests.getDataKey, { workspaceId }, { context: serviceContext('worker', workspaceId) }),
  );
}
