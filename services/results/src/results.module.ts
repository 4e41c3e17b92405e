import { Module } from '@nestjs/common';
import { CONFIG } from '#libs/config';
import { databaseModule, DatabaseState } from '#libs/database';
import { IdentityModule } from '#libs/identity';
import { openResultStore, ResultStore } from '#libs/result-store';
import { HealthRegistry } from '#libs/telemetry';
import { migrations } from './database/migrations/migrations.js';
import { ManifestController } from './manifest/manifest.controller.js';
import { ManifestRepository } from './manifest/manifest.repository.js';
import { ManifestService } from './manifest/manifest.service.js';
import type { ResultsConfig } from './results.config.js';
import { MetadataClient } from './retention/metadata.client.js';
import { RetentionMetrics } from './retention/retention.metrics.js';
import { RetentionRepository } from './retention/retention.repository.js';
import { RetentionLoop } from './retention/retention-loop.service.js';
import { RetentionService } from './retention/retention.service.js';
import { StoreController } from './store/store.controller.js';
import { StoreIdentityService } from './store/store-identity.service.js';
import { StoreRepository } from './store/store.repository.js';
import { RunEndService } from './writing/run-end.service.js';
import { HealthController } from './health/health.controller.js';
import { StoreHealth } from './health/store-health.service.js';
import { RunFinishedConsumer } from './writing/run-finished.consumer.js';
import { WritingController } from './writing/writing.controller.js';
import { WritingMetrics } from './writing/writing.metrics.js';
import { WritingRepository } from './writing/writing.repository.js';
import { WritingService } from './writing/writing.service.js';

@Module({
  imports: [IdentityModule, databaseModule({ entities: [], migrations })],
  controllers: [WritingController, RunFinishedConsumer, ManifestController, StoreController, HealthController],
  providers: [
    {
      provide: ResultStore,
      inject: [CONFIG],
      useFactory: ({ store }: ResultsConfig) => openResultStore(store),
    },
    {
      provide: StoreIdentityService,
      inject: [ResultStore, StoreRepository, HealthRegistry],
      useFactory: openStore,
    },
    StoreRepository,
    {
      provide: StoreHealth,
      inject: [DatabaseState, CONFIG],
      useFactory: (database: DatabaseState, config: ResultsConfig) => new StoreHealth(database, config),
    },
    WritingRepository,
    WritingService,
    WritingMetrics,
    RunEndService,
    ManifestRepository,
    ManifestService,
    MetadataClient,
    RetentionRepository,
    RetentionService,
    RetentionMetrics,
    RetentionLoop,
  ],
})
export class ResultsModule {}

/** A service whose store is another's does not start. */
async function openStore(
  store: ResultStore,
  repository: StoreRepository,
  health: HealthRegistry,
): Promise<StoreIdentityService> {
  const service = new StoreIdentityService(store, repository);
  await service.open();
  health.register('store', () => service.check());
  return service;
}
