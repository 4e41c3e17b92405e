import type { JsonObject } from '#libs/kernel';

/** What callers are told that a type can do; the names are the contract's. */
export type SourceCapability =
  | 'CANCEL'
  | 'STREAM'
  | 'BIND_PARAMETERS'
  | 'SESSION_ATTRIBUTES'
  | 'COST_ESTIMATE'
  | 'SCHEMA'
  | 'READ_ONLY_TRANSACTION'
  | 'IMPERSONATION';

/** One kind of data source: what its options are and what it can do. */
export interface SourceType {
  /** Such as postgres. */
  readonly name: string;
  readonly title: string;
  /** JSON Schema of the options, draft 7. Secrets are members of its root, marked writeOnly. Strict: what is not named is refused. */
  readonly optionsSchema: JsonObject;
  readonly capabilities: readonly SourceCapability[];
  /** The options that say whom a worker tells the secrets, and over what wire. Where one changes, kept secrets do not go along. */
  readonly destination: readonly string[];
}
