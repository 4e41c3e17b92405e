import type { Column } from '#libs/contracts';
import type { DecodedPage } from '#libs/result-store';
import { memberText, textReader } from './member-text.js';
import type { PhysicalType, PhysicalValue } from './physical-type.js';
import type { ResultPages } from './result-pages.js';

/** The values of each column of some pages. */
export type ColumnValues = readonly (readonly PhysicalValue[])[];

/** Reads the values of some pages, column by column, as their physical types say. */
export async function readColumns(
  pages: ResultPages,
  types: readonly PhysicalType[],
  opened: readonly DecodedPage[],
): Promise<ColumnValues> {
  const readers = pages.columns.map((column, index) => valueReader(column, types[index] ?? { kind: 'text' }));
  const columns: PhysicalValue[][] = readers.map(() => []);
  for (const page of opened) {
    for await (const rows of pages.chunksIn(page)) {
      for (const [index, read] of readers.entries()) {
        const values = columns[index];
        for (const members of rows) values?.push(read(members[index] ?? 'null'));
      }
    }
  }
  return columns;
}

/** What makes a value of its JSON text. */
export function valueReader(column: Column, type: PhysicalType): (member: string) => PhysicalValue {
  if (type.kind === 'text') return textReader(column);
  const read = presentReader(type);
  return (member) => (member === 'null' ? null : read(memberText(member)));
}

function presentReader(type: Exclude<PhysicalType, { kind: 'text' }>): (text: string) => PhysicalValue {
  switch (type.kind) {
    case 'boolean':
      return (text) => text === 'true';
    case 'int32':
    case 'double':
      return Number;
    case 'int64':
    case 'uint64':
      return BigInt;
    case 'bytes':
      return (text) => Buffer.from(text, 'base64');
    case 'decimal':
      return (text) => unscaled(text, type.scale);
    case 'date':
      return (text) => Date.parse(`${text}T00:00:00Z`) / 86_400_000;
    case 'time':
      return (text) => since1970(`1970-01-01T${text}`, 6);
    case 'timestamp':
      return type.unit === 'micros' ? (text) => since1970(text, 6) : (text) => since1970(text, 9);
    case 'text':
      return (text) => text;
  }
}

function unscaled(text: string, scale: number): bigint {
  const point = text.indexOf('.');
  const fraction = point < 0 ? 0 : text.length - point - 1;
  const digits = point < 0 ? text : text.slice(0, point) + text.slice(point + 1);
  return BigInt(digits + '0'.repeat(scale - fraction));
}

const secondsLength = 'YYYY-MM-DDTHH:MM:SS'.length;

/** A local or universal time of the form that the survey has let through, in parts of a second with so many digits. */
function since1970(text: string, digits: 6 | 9): bigint {
  const milliseconds = Date.parse(`${text.slice(0, secondsLength)}Z`);
  const fraction = text[secondsLength] === '.' ? text.slice(secondsLength + 1).replace('+00:00', '') : '';
  const factor = digits === 6 ? 1_000n : 1_000_000n;
  return BigInt(milliseconds) * factor + BigInt(fraction.padEnd(digits, '0'));
}
