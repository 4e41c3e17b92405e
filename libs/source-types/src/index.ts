export { checkSourceOptions, parseSourceOptions, type SourceOptionsByType } from './check-options.js';
export type { DuckdbSourceOptions, DuckdbTableFile } from './duckdb.js';
export type { PostgresSourceOptions, PostgresSslMode } from './postgres.js';
export { findSourceType, secretNamesOf, sourceTypes } from './source-types.js';
export type { SourceCapability, SourceType } from './source-type.js';
