/** A function of pg_proc in schema pg_catalog; one row for each overload. */
export interface CatalogFunction {
  readonly name: string;
  readonly volatility: 'i' | 's' | 'v';
  /** Type names of the arguments and of the result. */
  readonly types: readonly string[];
}

/** Types that no SQL value has: such functions are the server's own parts, called by it and not by statements. */
const machineTypes: ReadonlySet<string> = new Set([
  ...['internal', 'cstring', 'trigger', 'event_trigger', 'language_handler', 'fdw_handler', 'index_am_handler'],
  ...['table_am_handler', 'tsm_handler', 'pg_ddl_command'],
]);

/** Volatile, and yet they read a clock or draw a number and leave nothing behind. */
const harmlessVolatile: ReadonlySet<string> = new Set([
  ...['clock_timestamp', 'timeofday', 'random', 'random_normal', 'gen_random_uuid', 'uuidv4', 'uuidv7'],
  ...['array_sample', 'array_shuffle'],
  ...['pg_relation_size', 'pg_table_size', 'pg_indexes_size', 'pg_total_relation_size'],
]);

/** Everything named pg_… reaches into the server, but for these, which describe types, names and sizes. */
const harmlessInside: ReadonlySet<string> = new Set([
  ...['pg_typeof', 'pg_basetype', 'pg_column_size', 'pg_column_compression', 'pg_size_pretty', 'pg_size_bytes'],
  ...['pg_relation_size', 'pg_table_size', 'pg_indexes_size', 'pg_total_relation_size'],
  ...['pg_input_is_valid', 'pg_input_error_info', 'pg_collation_for', 'pg_client_encoding'],
  ...['pg_encoding_to_char', 'pg_char_to_encoding', 'pg_timezone_names', 'pg_timezone_abbrevs_abbrevs'],
  ...['pg_get_expr', 'pg_get_viewdef', 'pg_get_constraintdef', 'pg_get_indexdef', 'pg_get_partkeydef'],
  ...['pg_get_serial_sequence', 'pg_get_userbyid', 'pg_get_function_arguments', 'pg_get_function_result'],
  ...['pg_table_is_visible', 'pg_type_is_visible', 'pg_function_is_visible', 'pg_operator_is_visible'],
]);

/** Neither volatile nor named pg_…, and still not for everyone; each line says why. */
const denied: readonly RegExp[] = [
  // Run SQL out of a string, or read a table that is named in one.
  /(^|_)to_xml(schema)?(_|$)/,
  /_to_xml_and_xmlschema$/,
  /^ts_(stat|rewrite)$/,
  // Settings, where sessions keep identities and secrets.
  /^(current_setting|set_config)$/,
  // Large objects, transactions, sequences, sessions of others, the network around the server.
  /^lo_|^loread$|^lowrite$|^lo(id)?$|largeobject/,
  /^txid_|^xid8?_|^mxid_/,
  /^(nextval|currval|lastval|setval)$/,
  /^inet_(client|server)_/,
  // Load the library of a function, or parse its body, as if it were being created.
  /_validator$/,
  // Parts of the server that take no internal type and still are for it alone.
  /^binary_upgrade_|^satisfies_hash_partition$|^acl|^makeaclitem$|_send$|send$|_transfn$|typmodin$/,
];

/** The names whose every overload that SQL can call is known to do no more than compute. */
export function curateFunctions(functions: readonly CatalogFunction[]): string[] {
  const callable = functions.filter(({ types }) => !types.some((type) => machineTypes.has(type)));
  const refused = new Set(functions.filter((each) => !isHarmless(each)).map(({ name }) => name));
  return [...new Set(callable.map(({ name }) => name))].filter((name) => !refused.has(name)).sort();
}

function isHarmless({ name, volatility }: CatalogFunction): boolean {
  if (volatility === 'v' && !harmlessVolatile.has(name)) return false;
  if (name.startsWith('pg_') && !harmlessInside.has(name)) return false;
  return !denied.some((pattern) => pattern.test(name));
}
