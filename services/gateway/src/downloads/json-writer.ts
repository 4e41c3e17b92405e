import type { Column } from '#libs/contracts';
import type { RowMembers } from './result-pages.js';
import type { TextWriter } from './text-writer.js';

const lineBreaks = /[\r\n]+/g;

/** An array of objects, a line for each. Values are those of the contract's Row, digit for digit. */
export function jsonWriter(columns: readonly Column[]): TextWriter {
  const object = objectWriter(columns);
  return {
    head: '[',
    row: (members, rowNumber) => (rowNumber === 0 ? '\n' : ',\n') + object(members),
    tail: '\n]\n',
  };
}

/** One object in each line. */
export function ndjsonWriter(columns: readonly Column[]): TextWriter {
  const object = objectWriter(columns);
  return { head: '', row: (members) => `${object(members)}\n`, tail: '' };
}

function objectWriter(columns: readonly Column[]): (members: RowMembers) => string {
  const names = columns.map(({ name }, index) => `${index === 0 ? '' : ','}${JSON.stringify(name)}:`);
  return (members) => {
    let text = '{';
    for (let index = 0; index < names.length; index++) text += `${names[index]}${inOneLine(members[index] ?? 'null')}`;
    return `${text}}`;
  };
}

/** A document comes as its source wrote it; a line break outside of a string is white space, and inside there is none. */
function inOneLine(member: string): string {
  return member.includes('\n') || member.includes('\r') ? member.replace(lineBreaks, ' ') : member;
}
