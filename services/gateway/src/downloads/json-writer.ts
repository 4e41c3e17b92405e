import type { Column } from '#libs/contracts';
import type { ByteWriter } from '#libs/result-store';
import type { RowBytes } from './row-reader.js';
import type { TextWriter } from './text-writer.js';

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;
const comma = 0x2c;
const closingBrace = 0x7d;

/** An array of objects, a line for each. Values are those of the contract's Row, digit for digit. */
export function jsonWriter(columns: readonly Column[]): TextWriter {
  const writeObject = objectWriter(columns);
  return {
    head: '[',
    row: (row, out, rowNumber) => {
      if (rowNumber > 0) out.byte(comma);
      out.byte(lineFeed);
      writeObject(row, out);
    },
    tail: '\n]\n',
  };
}

/** One object in each line. */
export function ndjsonWriter(columns: readonly Column[]): TextWriter {
  const writeObject = objectWriter(columns);
  return {
    head: '',
    row: (row, out) => {
      writeObject(row, out);
      out.byte(lineFeed);
    },
    tail: '',
  };
}

function objectWriter(columns: readonly Column[]): (row: RowBytes, out: ByteWriter) => void {
  const keys = columns.map(({ name }, index) => Buffer.from(`${index === 0 ? '{' : ','}${JSON.stringify(name)}:`));
  return (row, out) => {
    for (const [index, key] of keys.entries()) {
      out.copy(key, 0, key.length);
      copyInOneLine(row.text, row.begin(index), row.end(index), out);
    }
    out.byte(closingBrace);
  };
}

/** A document comes as its source wrote it; a line break outside of a string is white space, and inside there is none. */
function copyInOneLine(text: Buffer, begin: number, end: number, out: ByteWriter): void {
  let from = begin;
  for (let at = begin; at < end; at++) {
    if (!isLineBreak(text[at])) continue;
    out.copy(text, from, at);
    while (at + 1 < end && isLineBreak(text[at + 1])) at++;
    out.byte(space);
    from = at + 1;
  }
  out.copy(text, from, end);
}

function isLineBreak(byte: number | undefined): boolean {
  return byte === lineFeed || byte === carriageReturn;
}
