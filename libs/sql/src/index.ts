export { proveReadOnly, type ProofOptions, type SqlDialect } from './prove-read-only.js';
export { sqlLengthMax } from './sql-text.js';
export { SourcePolicies, type CompileInput, type SourcePoliciesOptions } from './policy/source-policies.js';
export { faultOfPolicy } from './policy/fault-of-policy.js';
export { duckdbReachFault, duckdbViewsQuery, type DuckdbView } from './policy/duckdb-reach.js';
export { postgresReachCheck, postgresReachFault, type ReachCheck, type ReachRow } from './policy/postgres-reach.js';
export type {
  ColumnMask,
  CompiledQuery,
  KnownColumn,
  KnownTable,
  PolicyCaller,
  ReachPremises,
  ReadRelation,
  RowPolicy,
  TableName,
  TypedValue,
} from './policy/policy-types.js';
