import { AppError } from '#libs/kernel';
import { RowValues } from '#libs/result-store';

/** A row as it lies in memory: a column's value is the JSON from `begin` up to but not including `end` in `text`. */
export interface RowBytes {
  readonly text: Buffer;
  begin(column: number): number;
  end(column: number): number;
}

/** Finds the chosen values of one row after the other. Nothing is made for a row, of which there are millions. */
export class RowReader implements RowBytes {
  text: Buffer = Buffer.alloc(0);
  private readonly values: RowValues;

  /** @param indexes of the chosen columns among all, null for all of them */
  constructor(
    private readonly columnCount: number,
    private readonly indexes: readonly number[] | null,
  ) {
    this.values = new RowValues(columnCount);
  }

  /** @throws AppError result.corrupt where the row between these places has more or fewer values than there are columns */
  read(text: Buffer, from: number, to: number): void {
    this.text = text;
    if (this.values.find(text, from, to)) return;
    throw new AppError('result.corrupt', 'A part of the result cannot be read.', {
      internalMessage: `a row has more than ${this.columnCount} values`,
    });
  }

  begin(column: number): number {
    return this.values.begin(this.sourceOf(column));
  }

  end(column: number): number {
    return this.values.end(this.sourceOf(column));
  }

  private sourceOf(column: number): number {
    return this.indexes === null ? column : (this.indexes[column] ?? 0);
  }
}
