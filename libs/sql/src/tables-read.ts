import type { Reference } from './policy/policy-dialect.js';
import { policyDialects } from './policy/policy-dialects.js';
import type { TableName } from './policy/policy-types.js';
import type { ProofOptions, SqlDialect } from './prove-read-only.js';
import { assertProvableText } from './sql-text.js';

/**
 * Proves that a statement only reads, as proveReadOnly does, and tells which tables it names. What an absent schema stands for
 * is the source's business; a view is told by its own name, not by what it reads.
 * @throws AppError what proveReadOnly throws
 */
export async function readTables(
  dialect: SqlDialect,
  sql: string,
  { allowedFunctions, valueCount = 0 }: ProofOptions = {},
): Promise<readonly TableName[]> {
  assertProvableText(sql);
  const grammar = policyDialects[dialect];
  const premises = { extraFunctions: new Set(allowedFunctions), valueCount };
  return writtenTables(grammar.references(grammar.prove(await grammar.parse(sql), premises)));
}

/** Each table once, as the statement names it. */
export function writtenTables(references: readonly Reference[]): readonly TableName[] {
  const tables = references.map(({ catalog, schema, name }) => ({ catalog, schema, name }));
  return [...new Map(tables.map((table) => [JSON.stringify(table), table])).values()];
}
