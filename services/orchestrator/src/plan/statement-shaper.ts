import { LRUCache } from 'lru-cache';
import { AppError } from '#libs/kernel';
import { emptyStatement, pushRowLimit, sampleStatement, type SqlDialect, type TableName } from '#libs/sql';

export interface StatementShape {
  /** The most rows of the answer. */
  readonly rows: number;
  readonly sampleRows?: number | undefined;
  /** Nobody asked for the sample: where none can be taken, the statement reads all rows. */
  readonly isSampleByDefault?: boolean | undefined;
  /** Whether the source has row policies. */
  readonly mayBeGoverned: boolean;
  /** No row may be shown, whatever the statement. */
  readonly isClosed?: boolean | undefined;
  /** What is known of the source's tables. Under an equal version the answers are equal. */
  readonly tables: {
    readonly version: string;
    readonly isSamplable: (table: TableName) => Promise<boolean | undefined>;
  };
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
    const { rows, sampleRows, isSampleByDefault = false, mayBeGoverned, isClosed = false, tables } = shape;
    if (isClosed) return emptyStatement(sql);
    if (sampleRows === undefined && rows > pushedRowsMax) return sql;
    const sample = sampleRows === undefined ? '' : `${sampleRows} ${isSampleByDefault} ${tables.version}`;
    const key = `${dialect} ${rows} ${mayBeGoverned} ${sample} ${sql}`;
    const known = this.shaped.get(key);
    if (known !== undefined) return known;
    const sampled = await this.sampled(dialect, sql, shape);
    // One more than is told, so that it shows whether there are more.
    const shaped = rows > pushedRowsMax ? sampled : await pushRowLimit(dialect, sampled, rows + 1);
    this.shaped.set(key, shaped);
    return shaped;
  }

  private async sampled(dialect: SqlDialect, sql: string, shape: StatementShape): Promise<string> {
    const { sampleRows, isSampleByDefault = false, mayBeGoverned, tables } = shape;
    if (sampleRows === undefined) return sql;
    // Of what nobody knows, the source is to say whether it can where somebody asks for it, and is not tried where nobody does.
    const isSamplable = async (table: TableName): Promise<boolean> =>
      (await tables.isSamplable(table)) ?? !isSampleByDefault;
    try {
      return await sampleStatement(dialect, sql, { rows: sampleRows, mayBeGoverned, isSamplable });
    } catch (error) {
      if (isSampleByDefault && error instanceof AppError && error.code === 'run.sample_unsound') return sql;
      throw error;
    }
  }
}
