import type { Column } from '#libs/contracts';
import { isDocument, memberText } from './member-text.js';
import type { TextWriter } from './text-writer.js';

const lineEnd = '\r\n';
/** What makes a spreadsheet take a cell for a formula, the full-width forms among them. */
const formulaStart = /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/;
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
export function delimitedWriter(
  columns: readonly Column[],
  { delimiter, escapesFormulas }: DelimitedOptions,
): TextWriter {
  const textCell = (text: string): string => quoted(escapesFormulas ? withoutFormula(text) : text, delimiter);
  const cells = columns.map((column) => cellOf(column, delimiter, textCell));
  const [only] = columns.length === 1 ? cells : [];
  return {
    head: columns.map(({ name }) => textCell(name)).join(delimiter) + lineEnd,
    row: only
      ? ([member = 'null']) => only(member) + lineEnd
      : (members) => {
          let line = '';
          for (let index = 0; index < cells.length; index++) {
            if (index > 0) line += delimiter;
            line += cells[index]?.(members[index] ?? 'null');
          }
          return line + lineEnd;
        },
    tail: '',
  };
}

type Cell = (member: string) => string;

function cellOf(column: Column, delimiter: string, textCell: Cell): Cell {
  const orNull =
    (cell: Cell): Cell =>
    (member) =>
      member === 'null' ? '' : cell(member);
  if (isDocument(column)) return orNull((member) => quoted(member, delimiter));
  switch (column.type) {
    case 'BOOLEAN':
    case 'INTEGER':
      return orNull((member) => member);
    case 'TEXT':
    case 'UNKNOWN':
      return orNull((member) => textCell(memberText(member)));
    default:
      return orNull((member) => quoted(memberText(member), delimiter));
  }
}

function withoutFormula(text: string): string {
  return formulaStart.test(text) && !number.test(text) ? `'${text}` : text;
}

function quoted(text: string, delimiter: string): string {
  if (text === '') return '""';
  if (text.includes('"')) return `"${text.replaceAll('"', '""')}"`;
  return text.includes(delimiter) || text.includes('\n') || text.includes('\r') ? `"${text}"` : text;
}
