import type { SqlDialect } from './prove-read-only.js';

const dialects: Readonly<Record<string, SqlDialect>> = { postgres: 'postgres', duckdb: 'duckdb' };

/** The dialect of a type of data source; undefined where no parser is known for it. */
export function sqlDialectOf(sourceType: string): SqlDialect | undefined {
  return Object.hasOwn(dialects, sourceType) ? dialects[sourceType] : undefined;
}
