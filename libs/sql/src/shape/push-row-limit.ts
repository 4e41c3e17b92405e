import type { SqlDialect } from '../prove-read-only.js';
import { isNode, isSameTree, listOf, nodeOf, type TreeNode } from '../policy/syntax-tree.js';
import { assertProvableText } from '../sql-text.js';
import { parseStatements } from './parse-statements.js';

/**
 * The statement with `limit <rows>` of its own, or as it is where that is not surely the same statement with a limit: where
 * it has a LIMIT, FETCH or OFFSET already, or where the parser does not read the longer text as the old tree with this one
 * limit on top. So nothing rests on how texts end: a comment, a semicolon, a union or parentheses are the parser's business.
 */
export async function pushRowLimit(dialect: SqlDialect, sql: string, rows: number): Promise<string> {
  assertProvableText(sql);
  const [statement, ...others] = await parseStatements(dialect, sql);
  const expected = statement && others.length === 0 ? limitedBy[dialect](statement, rows) : undefined;
  if (!expected) return sql;
  for (const candidate of candidatesOf(sql, rows)) {
    if (await isRead(dialect, candidate, expected)) return candidate;
  }
  return sql;
}

/** A line of its own, so that a comment at the end of the text ends before it. */
function* candidatesOf(sql: string, rows: number): Generator<string> {
  const limit = `\nlimit ${rows}`;
  yield `${sql}${limit}`;
  // In front of a semicolon at the end; where it was none, the text does not parse or makes another tree.
  const end = sql.lastIndexOf(';');
  if (end >= 0) yield `${sql.slice(0, end)}${limit}`;
}

async function isRead(dialect: SqlDialect, candidate: string, expected: TreeNode): Promise<boolean> {
  try {
    const [actual, ...others] = await parseStatements(dialect, candidate);
    return others.length === 0 && isSameTree(expected, actual);
  } catch {
    // As of `(select 1 limit 2) limit 3`, which PostgreSQL does not take.
    return false;
  }
}

/** What the parser makes of the statement with a limit; undefined where it has one. */
const limitedBy: Readonly<Record<SqlDialect, (statement: TreeNode, rows: number) => TreeNode | undefined>> = {
  postgres: ({ SelectStmt: select }, rows) => {
    if (!isNode(select) || 'limitCount' in select || 'limitOffset' in select) return undefined;
    const limitCount = { A_Const: { ival: { ival: rows } } };
    return { SelectStmt: { ...select, limitCount, limitOption: 'LIMIT_OPTION_COUNT' } };
  },
  duckdb: (statement, rows) => {
    const modifiers = listOf(statement['modifiers']);
    if (modifiers.some((modifier) => String(nodeOf(modifier)['type']).startsWith('LIMIT'))) return undefined;
    const value = { type: { id: 'INTEGER' }, is_null: false, value: rows };
    const limit = { class: 'CONSTANT', type: 'VALUE_CONSTANT', value };
    return { ...statement, modifiers: [...modifiers, { type: 'LIMIT_MODIFIER', limit }] };
  },
};
