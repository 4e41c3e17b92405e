import { ByteWriter } from './byte-writer.js';
import { RowValues } from './row-values.js';

const comma = 0x2c;
const opening = 0x5b;
const closing = 0x5d;

/** Takes chosen columns out of rows of JSON text. A row is looked at up to the last column that is wanted, and its values are copied. */
export class RowPicker {
  private readonly values: RowValues;
  private readonly out: ByteWriter;

  /**
   * @param indexes of the columns, in the order in which they are wanted
   * @param bytes about as many as come out
   */
  constructor(
    private readonly indexes: readonly number[],
    bytes: number,
  ) {
    this.values = new RowValues(Math.max(0, ...indexes.map((index) => index + 1)));
    this.out = new ByteWriter(bytes);
  }

  /** What was picked, with commas between the rows. */
  get picked(): Buffer {
    return this.out.written(1);
  }

  /** Adds the row that lies between these places. */
  add(text: Buffer, from: number, to: number): void {
    const { values, out } = this;
    values.find(text, from, to);
    out.byte(opening);
    for (const index of this.indexes) {
      out.copy(text, values.begin(index), values.end(index));
      out.byte(comma);
    }
    // The comma behind the last value becomes the end of the row.
    if (this.indexes.length > 0) out.drop(1);
    out.byte(closing);
    out.byte(comma);
  }
}
