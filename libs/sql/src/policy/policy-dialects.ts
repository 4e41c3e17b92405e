import type { SqlDialect } from '../prove-read-only.js';
import { duckdbPolicyDialect } from './duckdb-policy-dialect.js';
import type { PolicyDialect } from './policy-dialect.js';
import { postgresPolicyDialect } from './postgres-policy-dialect.js';

/** What each grammar tells of a statement. */
export const policyDialects: Readonly<Record<SqlDialect, PolicyDialect>> = {
  postgres: postgresPolicyDialect,
  duckdb: duckdbPolicyDialect,
};
