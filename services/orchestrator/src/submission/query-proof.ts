import type { SourceConnection } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { proveReadOnly, type SqlDialect } from '#libs/sql';

const dialects: Readonly<Record<string, SqlDialect>> = { postgres: 'postgres', duckdb: 'duckdb' };

const textPath = ['query', 'sql', 'text'];

/** @throws AppError `sql.too_long`, or `input.invalid` for no text at all */
export function checkSqlText(text: string, bytesMax: number): void {
  if (Buffer.byteLength(text) > bytesMax) {
    throw new AppError('sql.too_long', `The SQL text may have at most ${bytesMax} bytes.`, { path: textPath });
  }
  if (text.trim() === '') throw new AppError('input.invalid', 'The SQL text is empty.', { path: textPath });
}

/** @throws AppError `sql.not_read_only` or `sql.rejected`, at the place of the input that holds the text */
export async function proveQuery(source: SourceConnection, sql: string, path: readonly string[]): Promise<void> {
  const dialect = Object.hasOwn(dialects, source.type) ? dialects[source.type] : undefined;
  if (!dialect) throw new Error(`no dialect is known for sources of type ${source.type}`);
  try {
    await proveReadOnly(dialect, sql);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new AppError(error.code, error.publicMessage, {
      path: [...path, ...error.path],
      details: error.details,
      internalMessage: error.internalMessage,
      cause: error,
    });
  }
}
