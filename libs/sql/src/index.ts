export { proveReadOnly, type ProofOptions, type SqlDialect } from './prove-read-only.js';
export { readTables } from './tables-read.js';
export { sqlDialectOf } from './sql-dialect-of.js';
export { sqlLengthMax } from './sql-text.js';
export { keyOfValues, type BoundValue, type ValueType } from './parameters/bound-value.js';
export type { AttributeValue, TemplateCaller } from './parameters/caller.js';
export { checkDefinitions } from './parameters/check-definitions.js';
export { isTimeZone } from './parameters/civil-time.js';
export type { ParameterDefinition, ParameterType } from './parameters/parameter-definition.js';
export { bindTemplate, type BoundTemplate, type TemplateInput } from './template/bind-template.js';
export { hasTags, parseTemplate } from './template/parse-template.js';
export { renderTemplate, type RenderedSql, type RenderOptions } from './template/render-template.js';
export type { Template } from './template/syntax-tree.js';
export { SourcePolicies, type CompileInput, type SourcePoliciesOptions } from './policy/source-policies.js';
export { policyRejection } from './policy/policy-rejection.js';
export { fenceAlias, showsPolicies } from './policy/fence.js';
export { emptyStatement } from './shape/empty-statement.js';
export { pushRowLimit } from './shape/push-row-limit.js';
export { isSampled, sampleStatement } from './shape/sample-statement.js';
export { faultOfPolicy } from './policy/fault-of-policy.js';
export { trialsOfPolicy, type PolicyTrial } from './policy/trials-of-policy.js';
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
