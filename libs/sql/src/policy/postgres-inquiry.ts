import { listOf, nodeOf, nodesOf, textOf, type TreeNode } from './syntax-tree.js';

/**
 * Of what begins with `pg_`, that which looks at its arguments alone, or at names and types. All the rest tells what no
 * fence is around: sizes, which are counts, and definitions, which hold values, such as a partition's bounds.
 */
const harmlessInquiries: ReadonlySet<string> = new Set([
  ...['pg_typeof', 'pg_basetype', 'pg_column_size', 'pg_column_compression', 'pg_size_pretty', 'pg_size_bytes'],
  ...['pg_input_is_valid', 'pg_input_error_info', 'pg_collation_for', 'pg_client_encoding'],
  ...['pg_encoding_to_char', 'pg_char_to_encoding', 'pg_timezone_names', 'pg_timezone_abbrevs_abbrevs'],
  ...['pg_get_serial_sequence', 'pg_get_userbyid'],
  ...['pg_table_is_visible', 'pg_type_is_visible', 'pg_function_is_visible', 'pg_operator_is_visible'],
]);

/** Only an escape such as U&"\0070g_…" could hide the name from a look at the text; the tree has it in the clear. */
const mayHoldInquiry = /pg_|u&/i;

/** A function that a proven statement calls and that tells of tables past their fences; undefined where it calls none. */
export function postgresInquiry(
  statement: TreeNode,
  sql: string,
  extraFunctions: ReadonlySet<string>,
): string | undefined {
  if (!mayHoldInquiry.test(sql)) return undefined;
  for (const node of nodesOf(statement)) {
    if (!('FuncCall' in node)) continue;
    const parts = listOf(nodeOf(node['FuncCall'])['funcname']);
    const names = parts.map((part) => textOf(nodeOf(nodeOf(part)['String'])['sval']) ?? '');
    const name = names.at(-1) ?? '';
    if (!name.startsWith('pg_') || harmlessInquiries.has(name)) continue;
    // What the owner of the source has allowed by name is the owner's to answer for.
    if (!extraFunctions.has(names.join('.'))) return name;
  }
  return undefined;
}
