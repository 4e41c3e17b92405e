import { Module } from '@nestjs/common';
import { CONFIG } from '#libs/config';
import { secretControllerOf } from '#libs/service';
import { secretRequests } from '#libs/contracts';
import { DataSource } from 'typeorm';
import { databaseModule, Resealer } from '#libs/database';
import { MasterKeys } from '#libs/encryption';
import { IdentityModule } from '#libs/identity';
import { ReceiverClient } from '#libs/receivers';
import { RedisConnections, RevisionCopies } from '#libs/redis';
import { AuditChainRepository } from './audit/audit-chain.repository.js';
import { AuditEntryRepository } from './audit/audit-entry.repository.js';
import { AuditForwarderRepository } from './audit/audit-forwarder.repository.js';
import { AuditForwarderService } from './audit/audit-forwarder.service.js';
import { AuditForwardingService } from './audit/audit-forwarding.service.js';
import { AuditRetentionLoop } from './audit/audit-retention-loop.service.js';
import { AuditRetentionService } from './audit/audit-retention.service.js';
import { AuditWriterRepository } from './audit/audit-writer.repository.js';
import { AuditController } from './audit/audit.controller.js';
import { AuditService } from './audit/audit.service.js';
import { SyslogClient } from './audit/syslog.client.js';
import { AccessController } from './access/access.controller.js';
import { AccessService } from './access/access.service.js';
import { AssetRepository } from './access/asset.repository.js';
import { GranteeClient } from './access/grantee.client.js';
import { GrantRepository } from './access/grant.repository.js';
import { GrantService } from './access/grant.service.js';
import { RestrictionRepository } from './access/restriction.repository.js';
import { DataSourceController } from './data-source/data-source.controller.js';
import { DataSourceEntity } from './data-source/data-source.entity.js';
import { DataSourceRepository } from './data-source/data-source.repository.js';
import { DataSourceService } from './data-source/data-source.service.js';
import { sealedPlaces } from './key-rotation/sealed-places.js';
import type { MetadataConfig } from './metadata.config.js';
import { CreateMetadata1795219100000 } from './migrations/1795219100000-create-metadata.js';
import { CountChanges1795240100000 } from './migrations/1795240100000-count-changes.js';
import { SourceTimeout1795320100000 } from './migrations/1795320100000-source-timeout.js';
import { CacheTtl1795250100000 } from './migrations/1795250100000-cache-ttl.js';
import { QueryParameters1795270100000 } from './migrations/1795270100000-query-parameters.js';
import { RowPolicies1795280100000 } from './migrations/1795280100000-row-policies.js';
import { ResultLimits1795350000000 } from './migrations/1795350000000-result-limits.js';
import { SampleRows1795450000000 } from './migrations/1795450000000-sample-rows.js';
import { WorkspaceSettings1795310100000 } from './migrations/1795310100000-workspace-settings.js';
import { PartitionAudit1796000000000 } from './migrations/1796000000000-partition-audit.js';
import { AppendAuditAtOnce1797040000000 } from './migrations/1797040000000-append-audit-at-once.js';
import { DurableHits1797060000000 } from './migrations/1797060000000-durable-hits.js';
import { SamplableTables1797060100000 } from './migrations/1797060100000-samplable-tables.js';
import { AuditLog1795441000001 } from './migrations/1795441000001-audit-log.js';
import { Grants1795431000000 } from './migrations/1795431000000-grants.js';
import { WorkspaceRevisions } from './revision/workspace-revisions.repository.js';
import { GroupClient } from './row-policy/group.client.js';
import { PolicyTrialService } from './row-policy/policy-trial.service.js';
import { RowPolicyController } from './row-policy/row-policy.controller.js';
import { RowPolicyEntity } from './row-policy/row-policy.entity.js';
import { RowPolicyRepository } from './row-policy/row-policy.repository.js';
import { RowPolicyService } from './row-policy/row-policy.service.js';
import { SourcePoliciesService } from './row-policy/source-policies.service.js';
import { RunnableController } from './runnable/runnable.controller.js';
import { RunnableService } from './runnable/runnable.service.js';
import { SavedQueryController } from './saved-query/saved-query.controller.js';
import { SavedQueryEntity } from './saved-query/saved-query.entity.js';
import { SavedQueryRepository } from './saved-query/saved-query.repository.js';
import { SavedQueryService } from './saved-query/saved-query.service.js';
import { HealthController } from './health/health.controller.js';
import { DataKeyClient } from './secret/data-key.client.js';
import { MASTER_KEYS } from './secret/master-keys.js';
import { SecretService } from './secret/secret.service.js';
import { SchemaRefreshService } from './source-schema/schema-refresh.service.js';
import { SourceSchemaController } from './source-schema/source-schema.controller.js';
import { SamplableTablesService } from './source-schema/samplable-tables.service.js';
import { SourceSchemaService } from './source-schema/source-schema.service.js';
import { SourceTableEntity } from './source-schema/source-table.entity.js';
import { SourceTableRepository } from './source-schema/source-table.repository.js';
import { WorkerClient } from './source-schema/worker.client.js';
import { WorkspaceSettingsController } from './workspace-settings/workspace-settings.controller.js';
import { WorkspaceSettingsRepository } from './workspace-settings/workspace-settings.repository.js';
import { WorkspaceSettingsService } from './workspace-settings/workspace-settings.service.js';

@Module({
  imports: [
    IdentityModule,
    databaseModule({
      entities: [DataSourceEntity, SourceTableEntity, SavedQueryEntity, RowPolicyEntity],
      migrations: [
        CreateMetadata1795219100000,
        CountChanges1795240100000,
        CacheTtl1795250100000,
        QueryParameters1795270100000,
        RowPolicies1795280100000,
        WorkspaceSettings1795310100000,
        SourceTimeout1795320100000,
        ResultLimits1795350000000,
        AuditLog1795441000001,
        SampleRows1795450000000,
        PartitionAudit1796000000000,
        AppendAuditAtOnce1797040000000,
        DurableHits1797060000000,
        SamplableTables1797060100000,
        Grants1795431000000,
      ],
    }),
  ],
  controllers: [
    AuditController,
    AccessController,
    DataSourceController,
    SourceSchemaController,
    SavedQueryController,
    RowPolicyController,
    RunnableController,
    WorkspaceSettingsController,
    HealthController,
    secretControllerOf(secretRequests.metadata, Resealer),
  ],
  providers: [
    ...[AuditChainRepository, AuditEntryRepository, AuditWriterRepository, AuditService, AuditRetentionService],
    AuditRetentionLoop,
    ...[AuditForwarderRepository, AuditForwarderService, AuditForwardingService, SyslogClient],
    {
      provide: ReceiverClient,
      inject: [CONFIG],
      useFactory: ({ audit }: MetadataConfig) => new ReceiverClient(audit),
    },
    DataKeyClient,
    DataSourceRepository,
    DataSourceService,
    {
      provide: MASTER_KEYS,
      inject: [CONFIG],
      useFactory: ({ masterKeys }: MetadataConfig) => MasterKeys.parse(masterKeys),
    },
    {
      provide: RevisionCopies,
      inject: [RedisConnections],
      useFactory: (redis: RedisConnections) => new RevisionCopies(redis),
    },
    GroupClient,
    PolicyTrialService,
    RowPolicyRepository,
    RowPolicyService,
    SourcePoliciesService,
    RunnableService,
    SavedQueryRepository,
    SavedQueryService,
    SchemaRefreshService,
    SecretService,
    SamplableTablesService,
    SourceSchemaService,
    SourceTableRepository,
    WorkerClient,
    WorkspaceRevisions,
    ...[AccessService, AssetRepository, GranteeClient, GrantRepository, GrantService, RestrictionRepository],
    ...[WorkspaceSettingsService, WorkspaceSettingsRepository],
    {
      provide: Resealer,
      inject: [DataSource, MASTER_KEYS, DataKeyClient],
      useFactory: (database: DataSource, masterKeys: MasterKeys, keys: DataKeyClient) =>
        new Resealer(database, masterKeys, sealedPlaces, (id) => keys.ask(id)),
    },
  ],
})
export class MetadataModule {}
