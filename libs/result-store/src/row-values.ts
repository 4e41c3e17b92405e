import { AppError } from '#libs/kernel';

const quote = 0x22;
const comma = 0x2c;
const opening = 0x5b;
const backslash = 0x5c;
const closing = 0x5d;
const openingBrace = 0x7b;
const closingBrace = 0x7d;

/**
 * Where the values of a row lie in its JSON text, one row after the other in the same memory. The text was written by us: only its shape
 * is looked at, and nothing of it is parsed, so that no digit of a number is lost.
 */
export class RowValues {
  private readonly begins: Int32Array;
  private readonly ends: Int32Array;

  /** @param count of the values that are looked for, the first ones of a row */
  constructor(private readonly count: number) {
    this.begins = new Int32Array(count);
    this.ends = new Int32Array(count);
  }

  /** The place of a value's first byte. */
  begin(index: number): number {
    return this.begins[index] ?? 0;
  }

  /** The place behind a value's last byte. */
  end(index: number): number {
    return this.ends[index] ?? 0;
  }

  /**
   * Looks at the row that lies between these places.
   * @returns whether it has no more values than are looked for
   * @throws AppError result.corrupt where it has fewer, or is no row
   */
  find(text: Buffer, from: number, to: number): boolean {
    const { begins, ends, count } = this;
    const last = to - 1;
    if (text[from] !== opening || text[last] !== closing) throw unreadable('it is not an array');
    let at = from + 1;
    for (let index = 0; index < count; index++) {
      begins[index] = at;
      const end = at < last ? endOfValue(text, at, last) : at;
      if (end === at) throw unreadable(`it has ${index} values, and ${count} are asked for`);
      ends[index] = end;
      at = end + 1;
    }
    // Behind the last value lies the end of the row, or a comma.
    return at > last || (count === 0 && at === last);
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
