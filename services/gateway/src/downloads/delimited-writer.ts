import type { Column } from '#libs/contracts';
import type { ByteWriter } from '#libs/result-store';
import { isDocument, memberText } from './member-text.js';
import type { TextWriter } from './text-writer.js';

const lineEnd = '\r\n';
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const quote = 0x22;
const backslash = 0x5c;

/** What makes a spreadsheet take a cell for a formula, the full-width forms among them. */
const formulaStart = /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/;
/** The first byte of each of them; of the full-width forms it is that of others too, and the escaped ones begin with a backslash. */
const formulaBytes = new Set([0x3d, 0x2b, 0x2d, 0x40, 0xef]);
/** A number is none, whatever its sign. */
const number = /^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$/;

export interface DelimitedOptions {
  readonly delimiter: ',' | '\t';
  readonly escapesFormulas: boolean;
}

/**
 * CSV by RFC 4180, and the same with tabs. NULL is nothing at all and an empty text is `""`, as PostgreSQL's COPY has it.
 * Types whose values are made of digits and letters alone need neither quotes nor escapes.
 */
export function delimitedWriter(columns: readonly Column[], options: DelimitedOptions): TextWriter {
  const { delimiter } = options;
  const delimiterByte = delimiter.charCodeAt(0);
  const cells = columns.map((column) => cellOf(column, options));
  return {
    head: columns.map(({ name }) => textCell(name, options)).join(delimiter) + lineEnd,
    row: (row, out) => {
      for (let index = 0; index < cells.length; index++) {
        if (index > 0) out.byte(delimiterByte);
        const begin = row.begin(index);
        const end = row.end(index);
        if (!isNull(row.text, begin, end)) cells[index]?.(row.text, begin, end, out);
      }
      out.byte(carriageReturn);
      out.byte(lineFeed);
    },
    tail: '',
  };
}

/** Writes a value that is there, whose JSON lies between these places. */
type Cell = (text: Buffer, begin: number, end: number, out: ByteWriter) => void;

function cellOf(column: Column, options: DelimitedOptions): Cell {
  const { delimiter } = options;
  if (isDocument(column)) return byString((member) => quoted(member, delimiter));
  switch (column.type) {
    case 'BOOLEAN':
    case 'INTEGER':
      return (text, begin, end, out) => out.copy(text, begin, end);
    case 'TEXT':
    case 'UNKNOWN':
      return plainOr(
        byString((member) => textCell(memberText(member), options)),
        options,
      );
    default:
      return plainOr(
        byString((member) => quoted(memberText(member), delimiter)),
        { delimiter, escapesFormulas: false },
      );
  }
}

/** A cell that has to be looked at as a string. */
function byString(cell: (member: string) => string): Cell {
  return (text, begin, end, out) => out.text(cell(text.toString('utf8', begin, end)));
}

/** Most values need neither quotes nor an escape, and are copied as they lie there. */
function plainOr(otherwise: Cell, { delimiter, escapesFormulas }: DelimitedOptions): Cell {
  const isSpecial = Uint8Array.from({ length: 256 }, (_, byte) =>
    byte < 0x20 || byte === quote || byte === backslash || byte === delimiter.charCodeAt(0) ? 1 : 0,
  );
  const isSpecialFirst = isSpecial.map((is, byte) => (escapesFormulas && formulaBytes.has(byte) ? 1 : is));
  return (text, begin, end, out) => {
    const quotes = text[begin] === quote ? 1 : 0;
    const first = begin + quotes;
    const last = end - quotes;
    let isPlain = first < last && isSpecialFirst[text[first] ?? 0] === 0;
    for (let at = first + 1; isPlain && at < last; at++) isPlain = isSpecial[text[at] ?? 0] === 0;
    if (isPlain) out.copy(text, first, last);
    else otherwise(text, begin, end, out);
  };
}

function isNull(text: Buffer, begin: number, end: number): boolean {
  // No other value of JSON begins with an n.
  return end - begin === 4 && text[begin] === 0x6e;
}

function textCell(text: string, { delimiter, escapesFormulas }: DelimitedOptions): string {
  return quoted(escapesFormulas ? withoutFormula(text) : text, delimiter);
}

function withoutFormula(text: string): string {
  return formulaStart.test(text) && !number.test(text) ? `'${text}` : text;
}

function quoted(text: string, delimiter: string): string {
  if (text === '') return '""';
  if (text.includes('"')) return `"${text.replaceAll('"', '""')}"`;
  return text.includes(delimiter) || text.includes('\n') || text.includes('\r') ? `"${text}"` : text;
}
