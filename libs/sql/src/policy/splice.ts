import { endOfGap, endOfName } from './identifier-text.js';
import { quoted } from './fence.js';
import { policyRejection } from './policy-rejection.js';
import type { Reference } from './policy-dialect.js';

/** A stretch of a text, in its own characters, and what comes in its place. */
interface Replacement {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

const onlyBefore = /\bonly\s*$/i;
const onlyParenthesisBefore = /\bonly\s*\(\s*$/i;
const tableBefore = /\btable\s+$/i;

/** Puts each fence in its reference's place; everything else of the text stays as it was written. */
export function spliceFences(sql: string, fences: ReadonlyMap<Reference, string>): string {
  const indexOf = characterIndexes(sql);
  const replacements = [...fences].map(([reference, fence]) => replacementOf(sql, reference, fence, indexOf));
  replacements.sort((left, right) => left.start - right.start);
  let result = '';
  let end = 0;
  for (const replacement of replacements) {
    if (replacement.start < end) throw policyRejection('Two references overlap.');
    result += sql.slice(end, replacement.start) + replacement.text;
    end = replacement.end;
  }
  return result + sql.slice(end);
}

function replacementOf(
  sql: string,
  reference: Reference,
  fence: string,
  indexOf: (location: number) => number,
): Replacement {
  if (reference.location === undefined) throw policyRejection('The parser does not tell where a table is named.');
  const nameStart = indexOf(reference.location);
  const parts = [reference.catalog, reference.schema, reference.name].filter((part) => part !== undefined).length;
  const nameEnd = endOfName(sql, nameStart, parts);
  if (nameEnd === undefined) throw policyRejection('A table is not named as an identifier.');
  const { start, end } = withMarks(sql, nameStart, nameEnd, reference.isOnly);
  const alias = reference.alias === undefined ? ` as ${quoted(reference.name)}` : '';
  const subquery = `(${fence})${alias}`;
  if (!reference.isTableCommand) return { start, end, text: subquery };
  const command = tableBefore.exec(sql.slice(0, start));
  if (!command) throw policyRejection('The command TABLE is not where it is expected.');
  return { start: command.index, end, text: `select * from ${subquery}` };
}

/** The name with PostgreSQL's marks around it: `only t`, `only (t)`, `t *`. */
function withMarks(sql: string, start: number, end: number, isOnly: boolean): { start: number; end: number } {
  const next = endOfGap(sql, end);
  if (!isOnly) return { start, end: sql[next] === '*' ? next + 1 : end };
  const before = sql.slice(0, start);
  const parenthesis = onlyParenthesisBefore.exec(before);
  if (parenthesis && sql[next] === ')') return { start: parenthesis.index, end: next + 1 };
  const word = onlyBefore.exec(before);
  if (!word) throw policyRejection('ONLY is not where it is expected.');
  return { start: word.index, end };
}

/** Parsers count the bytes of UTF-8, texts here UTF-16. */
export function characterIndexes(sql: string): (location: number) => number {
  const bytes = Buffer.from(sql, 'utf8');
  if (bytes.length === sql.length) return (location) => location;
  return (location) => bytes.toString('utf8', 0, location).length;
}
