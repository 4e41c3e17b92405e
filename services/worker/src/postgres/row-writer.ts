import { isUtf8 } from 'node:buffer';
import { RowBatch } from '#libs/result-store';

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const opening = 0x5b;
const closing = 0x5d;
const timeSign = 0x54;
/** Of a date with a year of four digits. */
const dateBytes = 10;

/** Shorter than this, a value is copied sooner byte by byte than by a call. */
const copiedByCallBytes = 40;
const bytesAtFirst = 2_048;
const rowsAtFirst = 16;

/** 1 for each byte that a JSON text has to escape. */
const escaped = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte === quote || byte === backslash ? 1 : 0,
);

/**
 * Writes rows as JSON from the bytes of the wire into bytes of its own: no value becomes a string in between, which is most
 * of what reading rows costs otherwise. A row is `begin`, one call for each value, `end`.
 */
export class RowWriter {
  private bytes = Buffer.alloc(0);
  private used = 0;
  private rowStart = 0;
  private lengths = new Uint32Array(rowsAtFirst);
  private count = 0;

  get byteCount(): number {
    return this.used;
  }

  get rowCount(): number {
    return this.count;
  }

  /** The rows that were written since the last time. */
  take(): RowBatch {
    const text = this.bytes.subarray(0, this.used);
    const batch = new RowBatch(text, this.lengths.subarray(0, this.count));
    this.bytes = Buffer.alloc(0);
    this.lengths = new Uint32Array(this.count || rowsAtFirst);
    this.used = 0;
    this.count = 0;
    // A database whose encoding is SQL_ASCII sends whatever bytes it was given; a decoder puts U+FFFD for what is no text.
    return isUtf8(text) ? batch : RowBatch.of(batch.rows);
  }

  begin(): void {
    this.rowStart = this.used;
    this.reserve(1);
    this.bytes[this.used++] = opening;
  }

  end(): void {
    // The comma behind the last value becomes the end of the row; a row may have no values.
    const isEmpty = this.used === this.rowStart + 1;
    if (!isEmpty) this.used -= 1;
    this.reserve(2);
    this.bytes[this.used++] = closing;
    this.bytes[this.used++] = comma;
    if (this.count === this.lengths.length) this.lengths = grown(this.lengths);
    this.lengths[this.count++] = this.used - this.rowStart - 1;
  }

  /** A value that is JSON as it stands. */
  raw(source: Buffer, from: number, to: number): void {
    this.reserve(to - from + 1);
    this.copy(source, from, to);
    this.bytes[this.used++] = comma;
  }

  /** A token that is always the same. */
  whole(token: Buffer): void {
    this.raw(token, 0, token.length);
  }

  /** A text in which JSON escapes nothing. */
  plain(source: Buffer, from: number, to: number): void {
    this.reserve(to - from + 3);
    this.bytes[this.used++] = quote;
    this.copy(source, from, to);
    this.bytes[this.used++] = quote;
    this.bytes[this.used++] = comma;
  }

  /** Any text. */
  text(source: Buffer, from: number, to: number): void {
    for (let at = from; at < to; at++) {
      if (escaped[source[at] ?? 0] === 1) return this.token(JSON.stringify(source.toString('utf8', from, to)));
    }
    this.plain(source, from, to);
  }

  /** As PostgreSQL writes a timestamp, with a T where it has a space and its zone's minutes where it has none. */
  timestamp(source: Buffer, from: number, to: number, minutes: '' | ':00'): void {
    this.reserve(to - from + minutes.length + 3);
    this.bytes[this.used++] = quote;
    this.copy(source, from, to);
    this.bytes[this.used - (to - from) + dateBytes] = timeSign;
    for (let index = 0; index < minutes.length; index++) this.bytes[this.used++] = minutes.charCodeAt(index);
    this.bytes[this.used++] = quote;
    this.bytes[this.used++] = comma;
  }

  /** A value whose JSON was made elsewhere. */
  token(json: string): void {
    // No character takes more than three bytes.
    this.reserve(json.length * 3 + 1);
    this.used += this.bytes.write(json, this.used);
    this.bytes[this.used++] = comma;
  }

  private copy(source: Buffer, from: number, to: number): void {
    if (to - from >= copiedByCallBytes) {
      this.used += source.copy(this.bytes, this.used, from, to);
      return;
    }
    const { bytes } = this;
    let at = this.used;
    for (let next = from; next < to; next++) bytes[at++] = source[next] ?? 0;
    this.used = at;
  }

  private reserve(size: number): void {
    if (this.used + size <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.used + size, bytesAtFirst));
    this.bytes.copy(larger, 0, 0, this.used);
    this.bytes = larger;
  }
}

function grown(lengths: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(lengths.length * 2);
  larger.set(lengths);
  return larger;
}
