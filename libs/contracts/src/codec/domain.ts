import type { JsonValue, Message } from '@bufbuild/protobuf';
import type { Timestamp, Value } from '@bufbuild/protobuf/wkt';
import type {
  AuditActorKind,
  AuditFaultKind,
  AuditForwarderKind,
  AuditOutcome,
} from '../gen/sluice/audit/v1/audit_pb.js';
import type { RevocationSubject } from '../gen/sluice/auth/v1/auth_pb.js';
import type { IdentityProviderKind } from '../gen/sluice/auth/v1/identity_provider_pb.js';
import type { MessageKind } from '../gen/sluice/bus/v1/envelope_pb.js';
import type { ColumnType } from '../gen/sluice/common/v1/common_pb.js';
import type { Severity } from '../gen/sluice/health/v1/health_pb.js';
import type { AccessLevel, GranteeKind } from '../gen/sluice/metadata/v1/access_pb.js';
import type { MaskKind, ParameterType } from '../gen/sluice/metadata/v1/metadata_pb.js';
import type { UsageMeasure, UsageOf, WorkerState } from '../gen/sluice/operations/v1/operations_pb.js';
import type { ManifestState } from '../gen/sluice/results/v1/results_pb.js';
import type { CacheStatus, Priority, QuotaKind, QuotaScope, RunState } from '../gen/sluice/run/v1/run_pb.js';
import type { WebhookDeliveryState, WebhookState } from '../gen/sluice/webhook/v1/webhook_pb.js';

type Named<E> = Exclude<keyof E, 'UNSPECIFIED'>;

/** The names of an enum's members. A new enum needs a row here; without one its fields have the type never. */
type EnumName<E> = E extends RunState
  ? Named<typeof RunState>
  : E extends Priority
    ? Named<typeof Priority>
    : E extends CacheStatus
      ? Named<typeof CacheStatus>
      : E extends ColumnType
        ? Named<typeof ColumnType>
        : E extends ManifestState
          ? Named<typeof ManifestState>
          : E extends MessageKind
            ? Named<typeof MessageKind>
            : E extends RevocationSubject
              ? Named<typeof RevocationSubject>
              : E extends QuotaScope
                ? Named<typeof QuotaScope>
                : E extends QuotaKind
                  ? Named<typeof QuotaKind>
                  : E extends ParameterType
                    ? Named<typeof ParameterType>
                    : E extends MaskKind
                      ? Named<typeof MaskKind>
                      : E extends WebhookState
                        ? Named<typeof WebhookState>
                        : E extends WebhookDeliveryState
                          ? Named<typeof WebhookDeliveryState>
                          : AuditEnumName<E>;

type AuditEnumName<E> = E extends AuditActorKind
  ? Named<typeof AuditActorKind>
  : E extends AuditOutcome
    ? Named<typeof AuditOutcome>
    : E extends AuditFaultKind
      ? Named<typeof AuditFaultKind>
      : E extends AuditForwarderKind
        ? Named<typeof AuditForwarderKind>
        : E extends AccessLevel
          ? Named<typeof AccessLevel>
          : E extends GranteeKind
            ? Named<typeof GranteeKind>
            : E extends IdentityProviderKind
              ? Named<typeof IdentityProviderKind>
              : OperatorEnumName<E>;

type OperatorEnumName<E> = E extends Severity
  ? Named<typeof Severity>
  : E extends WorkerState
    ? Named<typeof WorkerState>
    : E extends UsageOf
      ? Named<typeof UsageOf>
      : E extends UsageMeasure
        ? Named<typeof UsageMeasure>
        : never;

// `number` is assignable to a numeric enum, so only its template literal tells the two apart.
type NumberOrEnum<T extends number> = `${number}` extends `${T}` ? T : EnumName<T>;

type Fields<T> = { [K in keyof T as K extends '$typeName' | '$unknown' ? never : K]: Domain<T[K]> };

/**
 * What services see of a generated message: plain data, with enums as their names, Timestamp as Date, Value as JSON, int64 as number
 * (at most 2^53 - 1), and without the message's own marks. Derived, so that a new field in a .proto file is there at once.
 */
export type Domain<T> = T extends Timestamp
  ? Date
  : T extends Value
    ? JsonValue
    : T extends bigint
      ? number
      : T extends number
        ? NumberOrEnum<T>
        : T extends string | boolean | undefined | Uint8Array
          ? T
          : T extends readonly (infer Item)[]
            ? Domain<Item>[]
            : T extends Message
              ? Fields<T>
              : T extends { case: infer Case; value: infer Value }
                ? { case: Case; value: Domain<Value> }
                : T;
