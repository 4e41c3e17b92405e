import { AppError } from '#libs/kernel';

/** The most characters of one statement; it bounds the time and the memory of a proof. */
export const sqlLengthMax = 100_000;

/** What could reach the judge and the source as two different texts is refused before either sees it. */
export function assertProvableText(sql: string): void {
  if (sql.length > sqlLengthMax) {
    throw new AppError(
      'sql.too_long',
      `The statement has ${sql.length} characters; at most ${sqlLengthMax} are taken.`,
    );
  }
  // A NUL ends a text early for one reader and not for another.
  if (sql.includes('\0')) throw rejected('The statement holds a NUL character.');
  // Half of a surrogate pair has no UTF-8 form.
  if (/\p{Surrogate}/u.test(sql)) throw rejected('The statement is not valid Unicode text.');
}

export function rejected(message: string, position?: string): AppError {
  return new AppError('sql.rejected', position === undefined ? message : `${sentence(message)} (${position})`);
}

export function notReadOnly(message: string): AppError {
  return new AppError('sql.not_read_only', message);
}

/** `line 2, column 5` for a character's place, both counted from 1, in the characters that people count. */
export function placeOf(sql: string, characterIndex: number): string {
  const before = [...sql].slice(0, characterIndex);
  const lineStart = before.lastIndexOf('\n') + 1;
  const line = before.filter((character) => character === '\n').length + 1;
  return `line ${line}, column ${before.length - lineStart + 1}`;
}

/** A name as a message may show it: short, and without what would break a line. */
export function shown(name: string): string {
  const text = name.replace(/[\p{Cc}\p{Cf}]/gu, '?');
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function sentence(message: string): string {
  return message.charAt(0).toUpperCase() + message.slice(1);
}
