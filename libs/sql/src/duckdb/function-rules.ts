/** A function of duckdb_functions(); one row for each overload. */
export interface DuckdbFunction {
  readonly name: string;
  readonly kind: string;
}

/** Scalar and aggregate functions, and macros over them. Table functions are named one by one in allowedTableFunctions. */
const computingKinds: ReadonlySet<string> = new Set(['scalar', 'aggregate', 'macro']);

/** Each line says why. */
const denied: readonly RegExp[] = [
  // Settings, variables, environment, and what other sessions do.
  /^(getenv|getvariable|current_setting|current_query(_id)?|current_connection_id|current_transaction_id)$/,
  /^(txid_current|in_search_path|inet_(client|server)_.*|get_block_size|which_secret)$/,
  // Leave something behind, or hold a thread.
  /^(nextval|currval|setseed|write_log|add_parquet_key|pg_sleep|sleep_ms)$/,
  // SQL in another form.
  /^json_(de)?serialize_/,
  /^parse_duckdb_log_message$/,
  // Parts of the engine that are fed with bytes or states of its own.
  /^__internal_|^variant_(bytes|normalize|to_parquet)|^(finalize|combine|stats|vector_type|create_sort_key|make_type)$/,
  // PostgreSQL's catalog functions, but for two.
  /^pg_(?!typeof$|size_pretty$)|^has_.*_privilege$/,
];

/** Known to the binder without being in the catalog. */
const ofTheBinder = ['unnest', 'unlist', 'grouping', 'grouping_id'];

export function curateDuckdbFunctions(functions: readonly DuckdbFunction[]): string[] {
  const names = functions.filter(({ kind }) => computingKinds.has(kind)).map(({ name }) => name.toLowerCase());
  const allowed = names.filter((name) => !denied.some((pattern) => pattern.test(name)));
  return [...new Set([...allowed, ...ofTheBinder])].sort();
}

/** Make rows out of their arguments alone. None reads a file, a catalog, or SQL out of a string. */
export const allowedTableFunctions: ReadonlySet<string> = new Set([
  ...['range', 'generate_series', 'unnest', 'repeat', 'repeat_row', 'json_each', 'json_tree', 'pg_timezone_names'],
  // One row of each kind of value; for tools that try a connection out.
  'test_all_types',
]);
