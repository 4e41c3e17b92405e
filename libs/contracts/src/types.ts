import type { Domain } from './codec/domain.js';
import type * as audit from './gen/sluice/audit/v1/audit_pb.js';
import type * as auth from './gen/sluice/auth/v1/auth_pb.js';
import type * as groups from './gen/sluice/auth/v1/groups_pb.js';
import type * as preferences from './gen/sluice/auth/v1/preferences_pb.js';
import type * as roles from './gen/sluice/auth/v1/roles_pb.js';
import type * as identityProvider from './gen/sluice/auth/v1/identity_provider_pb.js';
import type * as scim from './gen/sluice/auth/v1/scim_pb.js';
import type * as serviceAccounts from './gen/sluice/auth/v1/service_accounts_pb.js';
import type * as common from './gen/sluice/common/v1/common_pb.js';
import type * as keys from './gen/sluice/keys/v1/keys_pb.js';
import type * as access from './gen/sluice/metadata/v1/access_pb.js';
import type * as metadata from './gen/sluice/metadata/v1/metadata_pb.js';
import type * as health from './gen/sluice/health/v1/health_pb.js';
import type * as operations from './gen/sluice/operations/v1/operations_pb.js';
import type * as results from './gen/sluice/results/v1/results_pb.js';
import type * as run from './gen/sluice/run/v1/run_pb.js';
import type * as webhook from './gen/sluice/webhook/v1/webhook_pb.js';

// The messages that services share as data, by name. Requests and replies are had by RequestOf and ResponseOf.

export type PageArgs = Domain<common.PageArgs>;
export type PageInfo = Domain<common.PageInfo>;
export type Column = Domain<common.Column>;
export type ColumnType = Column['type'];

export type AuditEntry = Domain<audit.AuditEntry>;
export type AuditFault = Domain<audit.AuditFault>;
export type AuditFilter = Domain<audit.AuditFilter>;
export type AuditForwarder = Domain<audit.AuditForwarder>;
export type ChainedAuditEntry = Domain<audit.ChainedAuditEntry>;

export type ScimGroup = Domain<scim.ScimGroup>;
export type ScimUser = Domain<scim.ScimUser>;

export type User = Domain<auth.User>;
export type ApiKey = Domain<auth.ApiKey>;
export type Workspace = Domain<auth.Workspace>;
export type ServiceAccount = Domain<serviceAccounts.ServiceAccount>;
export type Group = Domain<groups.Group>;
export type Preferences = Domain<preferences.Preferences>;
export type Role = Domain<roles.Role>;
export type Revocation = Domain<auth.Revocation>;
export type IdentityProvider = Domain<identityProvider.IdentityProvider>;

export type KeyProgress = Domain<keys.Progress>;

export type DataSource = Domain<metadata.DataSource>;
export type ParameterDefinition = Domain<metadata.ParameterDefinition>;
export type SavedQuery = Domain<metadata.SavedQuery>;
export type WorkspaceSettings = Domain<metadata.WorkspaceSettings>;
export type QuotaLimits = Domain<metadata.QuotaLimits>;
export type WarmUp = Domain<metadata.WarmUp>;
export type RowPolicy = Domain<metadata.RowPolicy>;
export type TableName = Domain<metadata.TableName>;
export type ColumnMask = Domain<metadata.ColumnMask>;
export type Table = Domain<metadata.Table>;
export type TableColumn = Domain<metadata.TableColumn>;
export type SourceConnection = Domain<metadata.SourceConnection>;
export type EncryptedSecrets = Domain<metadata.EncryptedSecrets>;
export type DataSourceChanged = Domain<metadata.DataSourceChanged>;

export type Restriction = Domain<access.Restriction>;
export type AssetAccess = Domain<access.AssetAccess>;
export type Grant = Domain<access.Grant>;
export type Grantee = Domain<access.Grantee>;
export type AccessLevel = Grant['level'];

export type Execution = Domain<run.Execution>;
export type RunState = Execution['state'];
export type Priority = Execution['priority'];
export type CacheStatus = Execution['cacheStatus'];
export type RunError = Domain<run.RunError>;
export type SourceHandle = Domain<run.SourceHandle>;
export type FinishedPosition = Domain<run.FinishedPosition>;
export type RunChanged = Domain<run.RunChanged>;
export type ExecutionChanged = Domain<run.ExecutionChanged>;
export type RowsCommitted = Domain<run.RowsCommitted>;
export type RunFinished = Domain<run.RunFinished>;
export type RunPlan = Domain<run.RunPlan>;
export type BoundValue = Domain<run.BoundValue>;

export type Webhook = Domain<webhook.Webhook>;
export type WebhookFilter = Domain<webhook.WebhookFilter>;
export type WebhookDelivery = Domain<webhook.WebhookDelivery>;
export type WebhookAttempt = Domain<webhook.WebhookAttempt>;

export type Manifest = Domain<results.Manifest>;
export type ManifestState = Manifest['state'];
export type StoredPage = Domain<results.Page>;

export type HealthReport = Domain<health.Report>;
export type Finding = Domain<health.Finding>;
export type NotChecked = Domain<health.NotChecked>;
export type Measurement = Domain<health.Measurement>;
export type Severity = Finding['severity'];

export type SourceQueue = Domain<operations.SourceQueue>;
export type OperatedWorker = Domain<operations.Worker>;
export type ActiveRun = Domain<operations.ActiveRun>;
export type Usage = Domain<operations.Usage>;
