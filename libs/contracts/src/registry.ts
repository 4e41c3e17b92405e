import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import type { Domain } from './codec/domain.js';
import { messageCodec, type MessageCodec } from './codec/message-codec.js';
import { requestContracts, type AnyRequestContract, type ServiceName } from './codec/request-contract.js';
import { AuditRecordedSchema, AuditService } from './gen/sluice/audit/v1/audit_pb.js';
import { AccountService } from './gen/sluice/auth/v1/account_pb.js';
import { AuthService } from './gen/sluice/auth/v1/auth_pb.js';
import { FederationService } from './gen/sluice/auth/v1/federation_pb.js';
import { GroupService } from './gen/sluice/auth/v1/groups_pb.js';
import { IdentityProviderService } from './gen/sluice/auth/v1/identity_provider_pb.js';
import { PreferencesService } from './gen/sluice/auth/v1/preferences_pb.js';
import { ScimService } from './gen/sluice/auth/v1/scim_pb.js';
import { DataKeyService, SecretService } from './gen/sluice/keys/v1/keys_pb.js';
import { RoleService } from './gen/sluice/auth/v1/roles_pb.js';
import { ServiceAccountService } from './gen/sluice/auth/v1/service_accounts_pb.js';
import { HealthService, OperatorService } from './gen/sluice/health/v1/health_pb.js';
import { AccessService } from './gen/sluice/metadata/v1/access_pb.js';
import { DataSourceChangedSchema, MetadataService } from './gen/sluice/metadata/v1/metadata_pb.js';
import { OperationsService } from './gen/sluice/operations/v1/operations_pb.js';
import { ResultsService } from './gen/sluice/results/v1/results_pb.js';
import {
  ExecutionChangedSchema,
  RowsCommittedSchema,
  RunChangedSchema,
  RunFinishedSchema,
  RunPlanSchema,
  RunService,
} from './gen/sluice/run/v1/run_pb.js';
import { WebhookService } from './gen/sluice/webhook/v1/webhook_pb.js';
import { WorkerService } from './gen/sluice/worker/v1/worker_pb.js';

/**
 * The registry: which stream carries which message, and who reads it.
 *
 * - Requests go to the one stream of the service that answers them, at most once, no older than their ttl.
 * - Events go to one stream for each area and version, at least once to each group named in eventStreams; they are kept
 *   until the slowest group has taken them, within a cap, and for 24 h in the sender's outbox. What fails comes again and
 *   becomes a dead letter after ten times. Of a stream that is `ordered` a group handles one event at a time: what fails
 *   holds up those after it, for minutes, and comes again for as long as it is kept; it never becomes a dead letter.
 * - The firehose tells every gateway of changes of runs, without a group; a loss is found by its readers.
 * - A job goes through BullMQ and is the worker's alone.
 */
export const auditRequests = requestContracts('metadata', AuditService);
export const authRequests = requestContracts('auth', AuthService);
export const accountRequests = requestContracts('auth', AccountService);
export const dataKeyRequests = requestContracts('auth', DataKeyService);
export const groupRequests = requestContracts('auth', GroupService);
export const preferencesRequests = requestContracts('auth', PreferencesService);
export const roleRequests = requestContracts('auth', RoleService);
export const serviceAccountRequests = requestContracts('auth', ServiceAccountService);
export const federationRequests = requestContracts('auth', FederationService);
export const identityProviderRequests = requestContracts('auth', IdentityProviderService);
export const metadataRequests = requestContracts('metadata', MetadataService);
export const accessRequests = requestContracts('metadata', AccessService);
export const runRequests = requestContracts('orchestrator', RunService);
export const scimRequests = requestContracts('auth', ScimService);
/** The same request to each service that keeps secrets. */
export const secretRequests = {
  auth: requestContracts('auth', SecretService),
  metadata: requestContracts('metadata', SecretService),
  orchestrator: requestContracts('orchestrator', SecretService),
};
/** The same request to each service that has a database. */
export const healthRequests = {
  auth: requestContracts('auth', HealthService),
  metadata: requestContracts('metadata', HealthService),
  orchestrator: requestContracts('orchestrator', HealthService),
  results: requestContracts('results', HealthService),
};
export const operatorRequests = requestContracts('auth', OperatorService);
export const operationsRequests = requestContracts('orchestrator', OperationsService);
export const webhookRequests = requestContracts('orchestrator', WebhookService);
export const workerRequests = requestContracts('worker', WorkerService);
export const resultsRequests = requestContracts('results', ResultsService);

/** The contracts that each service must handle, all of them: a service with a missing handler refuses to start. */
export const requestsByService: Readonly<Record<ServiceName, readonly AnyRequestContract[]>> = {
  auth: [
    ...[...Object.values(authRequests), ...Object.values(accountRequests), ...Object.values(scimRequests)],
    ...[...Object.values(roleRequests), ...Object.values(serviceAccountRequests)],
    ...[...Object.values(federationRequests), ...Object.values(identityProviderRequests)],
    ...[...Object.values(groupRequests), ...Object.values(preferencesRequests)],
    ...[...Object.values(dataKeyRequests), ...Object.values(secretRequests.auth)],
    ...[...Object.values(operatorRequests), ...Object.values(healthRequests.auth)],
  ],
  metadata: [
    ...[...Object.values(metadataRequests), ...Object.values(auditRequests), ...Object.values(accessRequests)],
    ...[...Object.values(secretRequests.metadata), ...Object.values(healthRequests.metadata)],
  ],
  orchestrator: [
    ...[...Object.values(runRequests), ...Object.values(webhookRequests)],
    ...[...Object.values(secretRequests.orchestrator), ...Object.values(healthRequests.orchestrator)],
    ...Object.values(operationsRequests),
  ],
  worker: Object.values(workerRequests),
  results: [...Object.values(resultsRequests), ...Object.values(healthRequests.results)],
};

export type EventArea = 'audit-auth' | 'audit-metadata' | 'audit-orchestrator' | 'audit-results' | 'metadata' | 'run';

export interface EventStream {
  readonly version: number;
  readonly publisher: ServiceName;
  readonly groups: readonly ServiceName[];
  /** Whether its events are handled one after the other and none is given up. */
  readonly ordered?: true;
}

/** The streams of events: who writes them, and the groups that read them, a group for each service. */
export const eventStreams: Readonly<Record<EventArea, EventStream>> = {
  // One for each writer: whoever rebuilds a stream that was lost must have all of it in its outbox.
  'audit-auth': { version: 1, publisher: 'auth', groups: ['metadata'], ordered: true },
  'audit-metadata': { version: 1, publisher: 'metadata', groups: ['metadata'], ordered: true },
  'audit-orchestrator': { version: 1, publisher: 'orchestrator', groups: ['metadata'], ordered: true },
  'audit-results': { version: 1, publisher: 'results', groups: ['metadata'], ordered: true },
  metadata: { version: 1, publisher: 'metadata', groups: ['orchestrator'] },
  run: { version: 1, publisher: 'orchestrator', groups: ['results'] },
};

export interface EventContract<Event> {
  readonly kind: 'event';
  readonly area: EventArea;
  /** The envelope's type: the message's full name. */
  readonly type: string;
  readonly codec: MessageCodec<Event>;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- stands for every contract; the parameter is invariant
export type AnyEventContract = EventContract<any>;
export type EventOf<C> = C extends EventContract<infer Event> ? Event : never;

export const dataSourceChanged = event('metadata', DataSourceChangedSchema);
export const runFinished = event('run', RunFinishedSchema);

/** Entries of the audit log, by the service that writes them; one handler takes all. */
export const auditRecorded = {
  auth: event('audit-auth', AuditRecordedSchema),
  metadata: event('audit-metadata', AuditRecordedSchema),
  orchestrator: event('audit-orchestrator', AuditRecordedSchema),
  results: event('audit-results', AuditRecordedSchema),
} as const;

export const events: readonly AnyEventContract[] = [dataSourceChanged, runFinished, ...Object.values(auditRecorded)];

/** The firehose of runs: 4 streams `{ev:<p>}:run`, p = hash(run id) mod 4, so that one run's messages stay in order. */
export const firehosePartitions = 4;

export interface FirehoseContract<Message> {
  readonly kind: 'firehose';
  readonly type: string;
  readonly codec: MessageCodec<Message>;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- stands for every contract; the parameter is invariant
export type AnyFirehoseContract = FirehoseContract<any>;

export const runChanged = firehose(RunChangedSchema);
export const executionChanged = firehose(ExecutionChangedSchema);
export const rowsCommitted = firehose(RowsCommittedSchema);

export const firehoseMessages: readonly AnyFirehoseContract[] = [runChanged, executionChanged, rowsCommitted];

/** The data of a job in the queues `run-<pool>`. */
export const runPlanCodec = messageCodec(RunPlanSchema);

function event<D extends DescMessage>(area: EventArea, schema: D): EventContract<Domain<MessageShape<D>>> {
  return { kind: 'event', area, type: schema.typeName, codec: messageCodec(schema) };
}

function firehose<D extends DescMessage>(schema: D): FirehoseContract<Domain<MessageShape<D>>> {
  return { kind: 'firehose', type: schema.typeName, codec: messageCodec(schema) };
}
