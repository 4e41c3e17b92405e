import { proveDuckdb } from './duckdb/prove-duckdb.js';
import { provePostgres } from './postgres/prove-postgres.js';
import { assertProvableText } from './sql-text.js';

export type SqlDialect = 'postgres' | 'duckdb';

export interface ProofOptions {
  /**
   * Functions beyond the built-in ones, `schema.name` or `name`, that the owner of a source vouches for. What they do
   * is then the owner's business; the transaction is read-only all the same.
   */
  readonly allowedFunctions?: readonly string[] | undefined;
  /** How many values are bound to the text's placeholders `$1`, `$2`, …; none where absent. */
  readonly valueCount?: number | undefined;
}

/**
 * Proves that the text is one statement which reads and does nothing else: no write, no lock, no setting, no file,
 * no signal, no SQL out of a string. It is judged by the source's own grammar, and what the judge does not know is
 * refused; nothing here is a list of forbidden words.
 *
 * The proof holds where the source parses as the judge did. For PostgreSQL that needs standard_conforming_strings on
 * and UTF-8, which whoever runs the statement must set.
 *
 * @throws AppError sql.too_long; sql.rejected where the parser refuses it; sql.not_read_only where it is not proven
 */
export async function proveReadOnly(dialect: SqlDialect, sql: string, options: ProofOptions = {}): Promise<void> {
  assertProvableText(sql);
  const premises = { extraFunctions: new Set(options.allowedFunctions), valueCount: options.valueCount ?? 0 };
  switch (dialect) {
    case 'postgres':
      return provePostgres(sql, premises);
    case 'duckdb':
      return proveDuckdb(sql, premises);
  }
}
