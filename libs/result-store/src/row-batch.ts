/** Some rows as the text that is stored and sent: bytes from the source's to the reader's, which nobody parses on the way. */
export class RowBatch {
  constructor(
    /** Each row's JSON array, with a comma behind it, behind the last one too. */
    readonly text: Buffer,
    /** The bytes of each row without its comma. */
    readonly lengths: Uint32Array,
  ) {}

  /** @param rows each the JSON text of one row's array */
  static of(rows: readonly string[]): RowBatch {
    const text = Buffer.from(rows.length === 0 ? '' : `${rows.join(',')},`);
    const characters = rows.reduce((sum, row) => sum + row.length + 1, 0);
    // As many bytes as characters is ASCII, of which no row needs to be measured again.
    const bytesOf = characters === text.length ? (row: string) => row.length : (row: string) => Buffer.byteLength(row);
    return new RowBatch(text, Uint32Array.from(rows, bytesOf));
  }

  get rowCount(): number {
    return this.lengths.length;
  }

  /** Of all rows, without the commas. */
  get rowBytes(): number {
    return this.text.length - this.lengths.length;
  }

  /** The texts of the rows. */
  get rows(): string[] {
    let end = -1;
    return Array.from(this.lengths, (length) => {
      const start = end + 1;
      end = start + length;
      return this.text.toString('utf8', start, end);
    });
  }

  /** As many of the first rows as have no more than `bytesMax` bytes together, and at most `rowsMax`. */
  within(rowsMax: number, bytesMax: number): RowBatch {
    if (this.rowCount <= rowsMax && this.rowBytes <= bytesMax) return this;
    let count = 0;
    let bytes = 0;
    for (const length of this.lengths) {
      if (count >= rowsMax || bytes + length > bytesMax) break;
      bytes += length;
      count += 1;
    }
    return new RowBatch(this.text.subarray(0, bytes + count), this.lengths.subarray(0, count));
  }
}
