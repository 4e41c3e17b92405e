import type { SourceConnection } from '#libs/contracts';
import type { JsonObject, JsonValue } from '#libs/kernel';
import type {
  BoundValue,
  ParameterDefinition,
  PolicyCaller,
  ReachPremises,
  SourcePolicies,
  TableName,
  TemplateCaller,
} from '#libs/sql';
import type { ResolvedLimits } from '../submission/limits.js';

/** What a submission has before it is known what is sent to the source. */
export interface PlanInput {
  readonly source: SourceConnection;
  /** A template; most statements are one without tags. */
  readonly text: string;
  readonly definitions: readonly ParameterDefinition[];
  /** Values as the caller sent them. */
  readonly given: JsonObject;
  readonly caller: TemplateCaller;
  /** Absent where the source has no row policy. */
  readonly policies?: GoverningPolicies | undefined;
  /** An IANA name, or what the caller says is one. */
  readonly timeZone: string;
  readonly nowMs: number;
  /** By parameter: what its options query answers now. */
  readonly queryOptions?: ReadonlyMap<string, readonly JsonValue[]> | undefined;
  readonly places: PlanPlaces;
  /** Of the workspace's assets, its source's tables among them. */
  readonly revision: number;
  /** Whether the source can take a sample of a table; undefined where nobody knows. Asked where one is to be taken. */
  readonly isSamplable: (table: TableName) => Promise<boolean | undefined>;
  readonly limits: Pick<ResolvedLimits, 'rows' | 'sampleRows' | 'isSampleByDefault'>;
  /** Something that the source itself goes by is not known of the caller: no row may be shown. */
  readonly isClosed?: boolean | undefined;
}

/** The row policies of a source, and who asks, as they see it. */
export interface GoverningPolicies {
  readonly policies: SourcePolicies;
  /** Absent: nobody is known to ask, and nothing is seen. */
  readonly caller: PolicyCaller | undefined;
}

/** Where the caller's input has what may be refused. */
export interface PlanPlaces {
  readonly text: readonly string[];
  readonly parameters: readonly string[];
}

/** What is sent to the source, and what the execution shows of it. */
export interface QueryPlan {
  /** With placeholders of the source's dialect, proven to read only. */
  readonly sql: string;
  /** In the clear, also those that are secret: not for logs, nor for anything that outlives the planning. */
  readonly values: readonly BoundValue[];
  /** That the caller's own statement names, as it names them. */
  readonly tables: readonly TableName[];
  /** What of the row policies in it can change the answer; empty where there are none. */
  readonly policyFingerprint: string;
  /** What the source must confirm before it is run; absent where no policy applies. */
  readonly reach: ReachPremises | undefined;
  readonly parameters: JsonObject;
}
