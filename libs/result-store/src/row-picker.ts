import { AppError } from '#libs/kernel';

const quote = 0x22;
const comma = 0x2c;
const opening = 0x5b;
const backslash = 0x5c;
const closing = 0x5d;
const openingBrace = 0x7b;
const closingBrace = 0x7d;

/**
 * Takes chosen columns out of rows of JSON text. A row is looked at up to the last column that is wanted, its values are copied
 * as they are written and never parsed, so that no digit of a number is lost.
 */
export class RowPicker {
  private readonly begins: Int32Array;
  private readonly ends: Int32Array;
  private out: Buffer;
  private used = 0;

  /**
   * @param indexes of the columns, in the order in which they are wanted
   * @param bytes about as many as come out
   */
  constructor(
    private readonly indexes: readonly number[],
    bytes: number,
  ) {
    const columns = Math.max(0, ...indexes.map((index) => index + 1));
    this.begins = new Int32Array(columns);
    this.ends = new Int32Array(columns);
    this.out = Buffer.allocUnsafe(Math.max(bytes, 64));
  }

  /** What was picked so far, with commas between the rows. */
  get picked(): Buffer {
    return this.out.subarray(0, Math.max(this.used - 1, 0));
  }

  /** Adds the row that lies between these places. */
  add(text: Buffer, from: number, to: number): void {
    this.find(text, from, to);
    this.reserve(to - from);
    this.out[this.used++] = opening;
    for (const index of this.indexes) {
      const [begin, end] = [this.begins[index] ?? 0, this.ends[index] ?? 0];
      this.reserve(end - begin);
      this.used += text.copy(this.out, this.used, begin, end);
      this.out[this.used++] = comma;
    }
    // The comma behind the last value becomes the end of the row.
    if (this.indexes.length > 0) this.used -= 1;
    this.out[this.used++] = closing;
    this.out[this.used++] = comma;
  }

  /** Finds where the values begin and end. The text was written by us; only its shape is looked at. */
  private find(text: Buffer, from: number, to: number): void {
    const { begins, ends } = this;
    if (text[from] !== opening || text[to - 1] !== closing) throw unreadable('it is not an array');
    let column = 0;
    let at = from + 1;
    while (column < begins.length) {
      begins[column] = at;
      at = endOfValue(text, at, to - 1);
      if (at === begins[column]) throw unreadable(`it has ${column} values, and more are asked for`);
      ends[column++] = at++;
      if (at === to && column < begins.length) throw unreadable(`it has ${column} values, and more are asked for`);
    }
  }

  private reserve(size: number): void {
    // Brackets and commas beside it.
    const needed = this.used + size + 4;
    if (needed <= this.out.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.out.length * 2));
    this.out.copy(larger, 0, 0, this.used);
    this.out = larger;
  }
}

/** The place of the comma or bracket behind the value that begins at `from`. */
function endOfValue(text: Buffer, from: number, to: number): number {
  let depth = 0;
  for (let at = from; at < to; at++) {
    const byte = text[at];
    if (byte === comma && depth === 0) return at;
    if (byte === quote) at = endOfString(text, at, to);
    else if (byte === opening || byte === openingBrace) depth++;
    else if (byte === closing || byte === closingBrace) depth--;
  }
  if (depth !== 0) throw unreadable('its brackets do not match');
  return to;
}

/** The place of the quote that ends the string which begins at `from`. */
function endOfString(text: Buffer, from: number, to: number): number {
  for (let at = from + 1; at < to; at++) {
    const byte = text[at];
    if (byte === backslash) at++;
    else if (byte === quote) return at;
  }
  throw unreadable('a text in it does not end');
}

function unreadable(reason: string): AppError {
  return new AppError('result.corrupt', 'A part of the result cannot be read.', {
    internalMessage: `a row is damaged: ${reason}`,
  });
}
