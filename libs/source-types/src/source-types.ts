import { duckdbType } from './duckdb.js';
import { postgresType } from './postgres.js';
import type { SourceType } from './source-type.js';

/** Every kind of data source that can be connected. */
export const sourceTypes: readonly SourceType[] = [duckdbType, postgresType];

export function findSourceType(name: string): SourceType | undefined {
  return sourceTypes.find((type) => type.name === name);
}

/** The names of the options that are secrets: kept under encryption, never given out. */
export function secretNamesOf(type: SourceType): readonly string[] {
  const { properties } = type.optionsSchema;
  if (typeof properties !== 'object' || properties === null || Array.isArray(properties)) return [];
  return Object.entries(properties)
    .filter(([, schema]) => typeof schema === 'object' && schema !== null && 'writeOnly' in schema)
    .map(([name]) => name);
}
