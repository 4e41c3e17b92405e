/**
 * What may be read of PostgreSQL's catalogs: how tables, columns and types are made. Everything else that begins with
 * `pg_` (other sessions and their statements, roles and their passwords, settings, files, statistics that hold
 * values of columns, and what a later release adds) is refused.
 */
const readableCatalogs: ReadonlySet<string> = new Set([
  ...['pg_attrdef', 'pg_attribute', 'pg_class', 'pg_collation', 'pg_constraint', 'pg_depend', 'pg_description'],
  ...['pg_enum', 'pg_extension', 'pg_index', 'pg_indexes', 'pg_inherits', 'pg_matviews', 'pg_namespace'],
  ...['pg_opclass', 'pg_operator', 'pg_partitioned_table', 'pg_range', 'pg_sequence', 'pg_sequences'],
  ...['pg_tables', 'pg_timezone_abbrevs', 'pg_timezone_names', 'pg_type', 'pg_views'],
]);

/** The options of foreign servers and their users, which may hold passwords. */
const hiddenOfInformationSchema = /^_pg_|_options$|^user_mappings$/;

/** A name without a schema is looked up in pg_catalog first; tables of a source that begin with `pg_` need theirs. */
export function isReadableRelation(schema: string | undefined, name: string): boolean {
  if (schema === 'information_schema') return !hiddenOfInformationSchema.test(name);
  if (schema === 'pg_catalog') return readableCatalogs.has(name);
  if (schema !== undefined) return !schema.startsWith('pg_');
  return !name.startsWith('pg_') || readableCatalogs.has(name);
}
