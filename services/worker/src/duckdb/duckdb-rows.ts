import { createRequire } from 'node:module';
import { TextDecoder } from 'node:util';
import {
  ResultReturnType,
  type DuckDBDataChunk,
  type DuckDBResult,
  type DuckDBValue,
  type DuckDBVector,
} from '@duckdb/node-api';
import { AppError } from '#libs/kernel';
import { releaseBuffers, RowBatch } from '#libs/result-store';
import type { DuckdbColumnType } from './duckdb-types.js';
import { entriesByPlace } from './entries-by-place.js';

/** What rows are made to text at a time: two thousand large ones would not fit into a page, nor into the worker. */
const batchCharacters = 256 * 1024;
/** About what the engine holds for a chunk of its 2,048 rows. */
const chunkBytes = 256 * 1024;

// The driver's decoder takes U+FEFF at the beginning of a text for a mark and drops it. It is the one for all values.
const accessors = createRequire(import.meta.url)('@duckdb/node-api/lib/vectors/dataAccessors.js') as {
  textDecoder: TextDecoder;
};
accessors.textDecoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** The rows of a result that the engine computes as they are fetched. */
export class DuckdbRows {
  private vectors: readonly DuckDBVector<DuckDBValue>[] = [];
  private rowCount = 0;
  /** The next row of the chunk. */
  private at = 0;

  constructor(
    private readonly result: DuckDBResult,
    private readonly types: readonly DuckdbColumnType[],
  ) {}

  async next(): Promise<RowBatch | undefined> {
    if (this.at === this.rowCount) this.open(await this.result.fetchChunk());
    if (this.rowCount > 0) return this.batch();
    // A statement that fails ends as one that has brought all its rows; the driver tells no more than that it has failed.
    if (this.result.returnType === ResultReturnType.INVALID) throw failed();
    return undefined;
  }

  private open(chunk: DuckDBDataChunk | null): void {
    releaseBuffers(chunkBytes);
    this.at = 0;
    this.rowCount = chunk?.rowCount ?? 0;
    // The chunk behind the last has no columns either.
    this.vectors = chunk && this.rowCount > 0 ? this.types.map((_, column) => chunk.getColumnVector(column)) : [];
    for (const { type } of this.vectors) entriesByPlace(type);
  }

  private batch(): RowBatch {
    const rows: string[] = [];
    for (let characters = 0; this.at < this.rowCount && characters < batchCharacters; this.at += 1) {
      const row = this.rowAt(this.at);
      characters += row.length;
      rows.push(row);
    }
    return RowBatch.of(rows);
  }

  private rowAt(row: number): string {
    const tokens = this.types.map(({ encode }, column) => {
      const value = this.vectors[column]?.getItem(row) ?? null;
      return value === null ? 'null' : encode(value);
    });
    // Joined at once: a string that is put together piece by piece keeps the pieces, at many times the size of the row.
    return `[${tokens.join(',')}]`;
  }
}

function failed(): AppError {
  return new AppError('run.query_failed', 'The statement failed after its first rows; the engine does not say why.');
}
