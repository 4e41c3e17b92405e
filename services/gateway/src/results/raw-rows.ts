import { randomBytes } from 'node:crypto';

/** Nothing that a client sends or a source answers can contain this. */
const mark = randomBytes(16).toString('hex');
const marker = new RegExp(`"${mark}:(\\d+)"`, 'g');
const held = new Map<number, RawRows>();
let made = 0;

/**
 * One or more rows that are JSON already, with commas between. In a list they take the place of a single member, so that
 * neither GraphQL nor JSON.stringify walks through them: they are put in afterwards, in one piece.
 *
 * JSON.stringify and the splicing must follow each other with nothing between, as what is held belongs to that one text.
 */
export class RawRows {
  constructor(private readonly rows: Buffer | string) {}

  get text(): string {
    return this.rows.toString();
  }

  get bytes(): Buffer {
    return typeof this.rows === 'string' ? Buffer.from(this.rows) : this.rows;
  }

  toJSON(): string {
    made += 1;
    held.set(made, this);
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
  const spliced = text.replace(marker, (found, id: string) => held.get(Number(id))?.text ?? found);
  held.clear();
  return spliced;
}

/**
 * As spliceRows, for who sends bytes: rows come from their page as bytes, and the way through a string would take three
 * times their size of memory for each event.
 */
export function spliceRowBytes(text: string): string | Buffer {
  if (held.size === 0) return text;
  const parts: Buffer[] = [];
  let end = 0;
  for (const match of text.matchAll(marker)) {
    const rows = held.get(Number(match[1]));
    if (!rows) continue;
    parts.push(Buffer.from(text.slice(end, match.index)), rows.bytes);
    end = match.index + match[0].length;
  }
  held.clear();
  return Buffer.concat([...parts, Buffer.from(text.slice(end))]);
}
