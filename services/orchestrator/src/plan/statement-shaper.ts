import { LRUCache } from 'lru-cache';
import { emptyStatement, pushRowLimit, sampleStatement, type SqlDialect } from '#libs/sql';

export interface StatementShape {
  /** The most rows of the answer. */
  readonly rows: number;
  readonly sampleRows?: number | undefined;
  /** Whether the source has row policies. */
  readonly mayBeGoverned: boolean;
  /** No row may be shown, whatever the statement. */
  readonly isClosed?: boolean | undefined;
}

/**
 * Up to so many rows the limit goes into the statement, where it spares the source a sort or a scan. Greater ones, such as the
 * default, would only change its plan: they are kept while reading.
 */
const pushedRowsMax = 10_000;
const shapedCharactersMax = 2_000_000;

/** Puts the sample and the row limit of a question into its statement; decisions/0018 says which and why. */
export class StatementShaper {
  private readonly shaped = new LRUCache<string, string>({
    maxSize: shapedCharactersMax,
    sizeCalculation: (value, key) => key.length + value.length,
  });

  async shape(dialect: SqlDialect, sql: string, shape: StatementShape): Promise<string> {
    const { rows, sampleRows, mayBeGoverned, isClosed = false } = shape;
    if (isClosed) return emptyStatement(sql);
    if (sampleRows === undefined && rows > pushedRowsMax) return sql;
    const key = `${dialect} ${rows} ${sampleRows ?? ''} ${mayBeGoverned} ${sql}`;
    const known = this.shaped.get(key);
    if (known !== undefined) return known;
    const sampled =
      sampleRows === undefined ? sql : await sampleStatement(dialect, sql, { rows: sampleRows, mayBeGoverned });
    // One more than is told, so that it shows whether there are more.
    const shaped = rows > pushedRowsMax ? sampled : await pushRowLimit(dialect, sampled, rows + 1);
    this.shaped.set(key, shaped);
    return shaped;
  }
}
