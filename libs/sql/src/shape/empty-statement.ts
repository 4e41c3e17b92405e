import { isNode, isSameTree, listOf, nodeOf } from '../policy/syntax-tree.js';
import { parsePostgres } from '../postgres/postgres-parser.js';
import { assertProvableText, rejected } from '../sql-text.js';

const alias = 'sluice_nothing';

/**
 * The statement's columns without a row, of which nothing is computed: PostgreSQL plans a subquery under `where false` away.
 * The text is proven to be the statement inside of that.
 * @throws AppError sql.rejected
 */
export async function emptyStatement(sql: string): Promise<string> {
  assertProvableText(sql);
  const [statement, ...others] = await parsePostgres(sql);
  // Whoever proves the statement says what is the matter.
  if (!statement || others.length > 0) return sql;
  const end = sql.lastIndexOf(';');
  for (const text of end < 0 ? [sql] : [sql, sql.slice(0, end)]) {
    const candidate = `select * from (${text}\n) as ${alias} where false`;
    if (await holds(candidate, statement)) return candidate;
  }
  throw rejected('The statement cannot be asked for its columns alone.');
}

async function holds(candidate: string, statement: unknown): Promise<boolean> {
  try {
    const [actual, ...others] = await parsePostgres(candidate);
    const select = nodeOf(nodeOf(actual)['SelectStmt']);
    const [from, ...more] = listOf(select['fromClause']);
    const { subquery } = nodeOf(nodeOf(from)['RangeSubselect']);
    const { boolval } = nodeOf(nodeOf(select['whereClause'])['A_Const']);
    // The parser leaves out what is false.
    const isFalse = isNode(boolval) && Object.keys(boolval).length === 0;
    return others.length === 0 && more.length === 0 && isFalse && isSameTree(statement, subquery);
  } catch {
    return false;
  }
}
