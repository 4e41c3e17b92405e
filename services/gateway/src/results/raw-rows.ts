import { randomBytes } from 'node:crypto';

/** Nothing that a client sends or a source answers can contain this. */
const mark = randomBytes(16).toString('hex');
const marker = new RegExp(`"${mark}:(\\d+)"`, 'g');
const held = new Map<number, string>();
let made = 0;

/**
 * One or more rows that are JSON already, with commas between. In a list they take the place of a single member, so that
 * neither GraphQL nor JSON.stringify walks through them: the text is put in afterwards, in one piece.
 *
 * JSON.stringify and spliceRows must follow each other with nothing between, as what is held belongs to that one text.
 */
export class RawRows {
  constructor(readonly text: string) {}

  toJSON(): string {
    made += 1;
    held.set(made, this.text);
    return `${mark}:${made}`;
  }
}

/** JSON.stringify for values with rows in them. */
export function stringifyWithRows(value: unknown): string {
  held.clear();
  return spliceRows(JSON.stringify(value));
}

/** Puts rows into a text that JSON.stringify has just made. */
export function spliceRows(text: string): string {
  if (held.size === 0) return text;
  const spliced = text.replace(marker, (found, id: string) => held.get(Number(id)) ?? found);
  held.clear();
  return spliced;
}
