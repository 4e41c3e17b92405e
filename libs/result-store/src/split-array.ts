import { AppError } from '#libs/kernel';

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const opening: ReadonlySet<number> = new Set([0x5b, 0x7b]);
const closing: ReadonlySet<number> = new Set([0x5d, 0x7d]);

/**
 * The texts of a JSON array's members, such as the values of a row: copied as they are written and never parsed, so that no
 * digit of a number is lost. The text was written by JSON.stringify or its like; only its shape is looked at.
 */
export function splitArray(text: string): string[] {
  const end = text.length - 1;
  if (text[0] !== '[' || text[end] !== ']') throw unreadable('it is not an array');
  const members: string[] = [];
  let start = 1;
  let depth = 0;
  for (let at = 1; at < end; at++) {
    const char = text.charCodeAt(at);
    if (char === quote) at = endOfString(text, at);
    else if (opening.has(char)) depth++;
    else if (closing.has(char)) depth--;
    else if (char === comma && depth === 0) {
      members.push(text.slice(start, at));
      start = at + 1;
    }
  }
  if (depth !== 0) throw unreadable('its brackets do not match');
  if (end > 1) members.push(text.slice(start, end));
  return members;
}

/** The place of the quote that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === backslash) at++;
    else if (char === quote) return at;
  }
  throw unreadable('a text in it does not end');
}

function unreadable(reason: string): AppError {
  return new AppError('result.corrupt', 'A part of the result cannot be read.', {
    internalMessage: `a row is damaged: ${reason}`,
  });
}
