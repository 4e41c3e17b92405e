import { parseDuckdb } from '../duckdb/duckdb-parser.js';
import type { TreeNode } from '../policy/syntax-tree.js';
import { parsePostgres } from '../postgres/postgres-parser.js';
import type { SqlDialect } from '../prove-read-only.js';

const parsers: Readonly<Record<SqlDialect, (sql: string) => Promise<readonly TreeNode[]>>> = {
  postgres: parsePostgres,
  duckdb: parseDuckdb,
};

/** The statements of a text by the dialect's own parser, proven to be nothing yet. */
export function parseStatements(dialect: SqlDialect, sql: string): Promise<readonly TreeNode[]> {
  return parsers[dialect](sql);
}
