const readableOfInformationSchema: ReadonlySet<string> = new Set([
  'columns',
  'constraint_column_usage',
  'key_column_usage',
  'referential_constraints',
  'schemata',
  'table_constraints',
  'tables',
]);

/** A table name that is not in the catalog is taken for a file's; none of a file's signs may be in it. */
const fileSigns = /[./\\:*?[\]{}~]/;

/** `flights.csv` without quotes parses as a table csv of a schema flights. */
const fileEndings = /^(csv|tsv|txt|parquet|json|ndjson|jsonl|gz|zst|db|duckdb|arrow|xlsx|avro)$/i;

/** Views of the engine itself: settings, secrets, logs, and definitions that tell where files lie. */
const engineViews = /^(duckdb|pragma|sqlite|pg)_/i;

/** Whether a table reference names a table of the source or a harmless catalog of names and types. */
export function isReadableRelation(catalog: string, schema: string, name: string): boolean {
  if (fileSigns.test(name) || fileSigns.test(schema) || fileSigns.test(catalog)) return false;
  if (schema !== '' && fileEndings.test(name)) return false;
  if (schema.toLowerCase() === 'information_schema') return readableOfInformationSchema.has(name.toLowerCase());
  return schema.toLowerCase() !== 'pg_catalog' && catalog.toLowerCase() !== 'system' && !engineViews.test(name);
}
