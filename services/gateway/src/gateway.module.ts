import type { ApolloDriverConfig } from '@nestjs/apollo';
import { Module, type NestModule } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { GraphQLModule } from '@nestjs/graphql';
import { BusClient } from '#libs/bus';
import { CONFIG } from '#libs/config';
import { IdentityModule } from '#libs/identity';
import { AccessRecorder } from '#libs/service';
import { HealthRegistry } from '#libs/telemetry';
import { AuditExportController } from './audit/audit-export.controller.js';
import { AuditSettingsResolver } from './audit/audit-settings.resolver.js';
import { AuditResolver } from './audit/audit.resolver.js';
import { PasswordsResolver } from './accounts/passwords.resolver.js';
import { RotateApiKeyResolver } from './accounts/rotate-api-key.resolver.js';
import { SecondFactorResolver } from './accounts/second-factor.resolver.js';
import { SessionListResolver } from './accounts/session-list.resolver.js';
import { SignInRulesResolver } from './accounts/sign-in-rules.resolver.js';
import {
  AssetAccessResolver,
  DataSourceAccessResolver,
  SavedQueryAccessResolver,
} from './access/asset-access.resolver.js';
import { GrantsResolver } from './access/grants.resolver.js';
import { ApiKeysResolver } from './api-keys/api-keys.resolver.js';
import { Cursors } from './cursors/cursors.js';
import { DataSourcesResolver } from './data-sources/data-sources.resolver.js';
import { BytePlaces } from './downloads/byte-places.store.js';
import { DownloadAddresses } from './downloads/download-addresses.js';
import { DownloadMetrics } from './downloads/download-metrics.js';
import { DownloadOpener } from './downloads/download-opener.service.js';
import { DownloadSlots } from './downloads/download-slots.js';
import { DownloadsController } from './downloads/downloads.controller.js';
import { DownloadsResolver } from './downloads/downloads.resolver.js';
import { DownloadsService } from './downloads/downloads.service.js';
import { EventsResolver } from './events/events.resolver.js';
import { EventsService } from './events/events.service.js';
import { ExecutionReader } from './events/execution-reader.js';
import { RunHubService } from './events/run-hub.service.js';
import { ExecutionsResolver } from './executions/executions.resolver.js';
import { ExecutionsService } from './executions/executions.service.js';
import { CacheController } from './cache/cache.controller.js';
import { CacheResolver } from './cache/cache.resolver.js';
import { KeptAnswers } from './cache/kept-answers.service.js';
import { RepeatedHits } from './cache/repeated-hits.service.js';
import { ApolloWithoutExpress } from './http/apollo-without-express.driver.js';
import { ContextModule } from './http/context.module.js';
import { ErrorPasserFilter } from './http/error-passer.filter.js';
import { GraphqlHttp } from './http/graphql-http.js';
import { graphqlOptions } from './http/graphql-options.js';
import { HttpDrain } from './http/http-drain.js';
import { HttpEdge } from './http/http-edge.js';
import { PlainHttp } from './http/plain-http.js';
import { Refusals } from './http/refusals.js';
import { ObservingPlugin } from './http/observing.plugin.js';
import { IdentityProvidersResolver } from './identity-providers/identity-providers.resolver.js';
import { HealthService } from './live/health.service.js';
import {
  DataSourceUsageResolver,
  OperationsQueueResolver,
  OperationsRunResolver,
  OperationsWorkerResolver,
  UserUsageResolver,
} from './live/operations-parts.resolver.js';
import { OperationsResolver } from './live/operations.resolver.js';
import { ActorResolver, NodeResolver } from './node/node.resolver.js';
import { FaultLog } from './observability/fault-log.js';
import { RequestMetrics } from './observability/request-metrics.js';
import { OperationsService } from './operations/operations.service.js';
import { PreparedDocuments } from './operations/prepared-documents.js';
import { OptionsQueries } from './parameters/options-query.service.js';
import { ParameterOptionsService } from './parameters/parameter-options.service.js';
import { ParametersResolver } from './parameters/parameters.resolver.js';
import { CompleteManifests } from './results/complete-manifests.store.js';
import { DecodedPagesStore } from './results/decoded-pages.store.js';
import { PageTables } from './results/page-tables.store.js';
import { openProvenPages } from './results/open-proven-pages.js';
import { ProvenPagesStore } from './results/proven-pages.store.js';
import { RedisPageCopies } from './results/redis-page-copies.js';
import { GroupsResolver } from './groups/groups.resolver.js';
import { PreferencesResolver, ViewerPreferencesResolver } from './preferences/preferences.resolver.js';
import { ResultsResolver } from './results/results.resolver.js';
import { ResultsService } from './results/results.service.js';
import { RolesResolver } from './roles/roles.resolver.js';
import { RowPoliciesResolver } from './row-policies/row-policies.resolver.js';
import { SavedQueriesResolver } from './saved-queries/saved-queries.resolver.js';
import { ScimDiscoveryController } from './scim/scim-discovery.controller.js';
import { ScimGroupsController } from './scim/scim-groups.controller.js';
import { ScimHttp } from './scim/scim-http.js';
import { ScimUsersController } from './scim/scim-users.controller.js';
import { GuestsResolver } from './service-accounts/guests.resolver.js';
import { ServiceAccountsResolver } from './service-accounts/service-accounts.resolver.js';
import { SessionsResolver } from './sessions/sessions.resolver.js';
import { UsersResolver } from './users/users.resolver.js';
import { ViewerResolver } from './viewer/viewer.resolver.js';
import { SessionsService } from './sessions/sessions.service.js';
import { SseEdge } from './sse/sse-edge.service.js';
import { SsoController } from './sso/sso.controller.js';
import { LiveOperations } from './streams/live-operations.service.js';
import { ResultFormat } from './streams/result-format.js';
import { StreamsService } from './streams/streams.service.js';
import { WebhookDeliveriesResolver } from './webhooks/webhook-deliveries.resolver.js';
import { WebhooksResolver } from './webhooks/webhooks.resolver.js';
import { GraphqlSocketServer } from './websocket/graphql-socket-server.js';
import { WebSocketEdge } from './websocket/websocket-edge.service.js';
import { WorkspaceResolver } from './workspace/workspace.resolver.js';
import { WorkspaceSettingsResolver } from './workspace/workspace-settings.resolver.js';

const resolvers = [
  ActorResolver,
  ApiKeysResolver,
  AuditResolver,
  AuditSettingsResolver,
  AssetAccessResolver,
  CacheResolver,
  DataSourceAccessResolver,
  DataSourcesResolver,
  DownloadsResolver,
  EventsResolver,
  ExecutionsResolver,
  GrantsResolver,
  GroupsResolver,
  GuestsResolver,
  IdentityProvidersResolver,
  NodeResolver,
  ...[OperationsResolver, OperationsQueueResolver, OperationsWorkerResolver, OperationsRunResolver],
  ...[UserUsageResolver, DataSourceUsageResolver],
  ParametersResolver,
  PasswordsResolver,
  ResultsResolver,
  RotateApiKeyResolver,
  RowPoliciesResolver,
  SavedQueriesResolver,
  SecondFactorResolver,
  SessionListResolver,
  ...[PreferencesResolver, ViewerPreferencesResolver],
  RolesResolver,
  SavedQueryAccessResolver,
  ServiceAccountsResolver,
  SessionsResolver,
  SignInRulesResolver,
  UsersResolver,
  ViewerResolver,
  WebhookDeliveriesResolver,
  WebhooksResolver,
  WorkspaceResolver,
  WorkspaceSettingsResolver,
];

@Module({
  imports: [
    IdentityModule,
    ContextModule,
    GraphQLModule.forRootAsync<ApolloDriverConfig>({
      driver: ApolloWithoutExpress,
      imports: [ContextModule],
      inject: [CONFIG, PreparedDocuments],
      useFactory: graphqlOptions,
    }),
  ],
  controllers: [
    AuditExportController,
    CacheController,
    DownloadsController,
    SsoController,
    ScimUsersController,
    ScimGroupsController,
    // Behind the others, as it answers for whatever is not there.
    ScimDiscoveryController,
  ],
  providers: [
    ...resolvers,
    { provide: APP_FILTER, useClass: ErrorPasserFilter },
    {
      provide: AccessRecorder,
      inject: [BusClient],
      useFactory: (bus: BusClient) => new AccessRecorder(bus, 'gateway'),
    },
    BytePlaces,
    CompleteManifests,
    PageTables,
    Cursors,
    DecodedPagesStore,
    DownloadAddresses,
    DownloadMetrics,
    DownloadOpener,
    DownloadSlots,
    DownloadsService,
    EventsService,
    ExecutionReader,
    ExecutionsService,
    FaultLog,
    GraphqlHttp,
    GraphqlSocketServer,
    HealthService,
    HttpDrain,
    HttpEdge,
    KeptAnswers,
    LiveOperations,
    ObservingPlugin,
    OptionsQueries,
    ParameterOptionsService,
    PlainHttp,
    {
      provide: ProvenPagesStore,
      inject: [CONFIG, BusClient, HealthRegistry, RedisPageCopies],
      useFactory: openProvenPages,
    },
    RedisPageCopies,
    RepeatedHits,
    OperationsService,
    Refusals,
    RequestMetrics,
    ResultFormat,
    ScimHttp,
    ResultsService,
    RunHubService,
    SessionsService,
    SseEdge,
    StreamsService,
    WebSocketEdge,
  ],
})
export class GatewayModule implements NestModule {
  constructor(
    private readonly edge: HttpEdge,
    private readonly sse: SseEdge,
  ) {}

  /** Nest mounts this before Apollo, so every request comes through the edge first. */
  configure(): void {
    this.edge.install();
    this.sse.install();
  }
}
