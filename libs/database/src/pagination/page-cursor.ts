import { createHash } from 'node:crypto';
import { AppError, type JsonObject, type JsonValue } from '#libs/kernel';

/** The kinds of value that a list is ordered by, one for each column of its order. */
export type CursorShape = readonly ('string' | 'number')[];
export type CursorKey<Shape extends CursorShape> = {
  -readonly [I in keyof Shape]: Shape[I] extends 'number' ? number : string;
};

/** What a cursor belongs to: one list, with the same filters. */
export interface CursorScope {
  readonly list: string;
  readonly filters: JsonObject;
}

const sumBytes = 12;
const cursorTextMax = 2_000;

/**
 * A place in a list as text that callers need not understand: the order's values of the last row read, and a sum over
 * them, the list and its filters. The sum finds accidents and mixed-up lists. It is no secret: who forges one reaches
 * nothing but another place in the same list, since a list is bounded by its query and never by its cursor.
 */
export function encodeCursor(scope: CursorScope, key: readonly (string | number)[]): string {
  const body = Buffer.from(JSON.stringify(key));
  return Buffer.concat([sumOf(scope, body), body]).toString('base64url');
}

/** @throws AppError `input.cursor_invalid` for what this list did not give */
export function decodeCursor<const Shape extends CursorShape>(
  scope: CursorScope,
  text: string,
  shape: Shape,
): CursorKey<Shape> {
  const bytes = text.length > cursorTextMax ? Buffer.alloc(0) : Buffer.from(text, 'base64url');
  const body = bytes.subarray(sumBytes);
  // Node passes over what is no base64url; a text that reads back as another one was not given here.
  if (bytes.toString('base64url') !== text) throw invalidCursor();
  if (body.length === 0 || !bytes.subarray(0, sumBytes).equals(sumOf(scope, body))) throw invalidCursor();
  const key = parseJson(body.toString('utf8'));
  if (!matches(key, shape)) throw invalidCursor();
  // `matches` has compared each value with the shape.
  return key as CursorKey<Shape>;
}

function matches(key: unknown, shape: CursorShape): boolean {
  return (
    Array.isArray(key) &&
    key.length === shape.length &&
    key.every((value, index) => typeof value === shape[index] && isStorable(value))
  );
}

// PostgreSQL takes neither a zero byte in a text nor a number that is none.
function isStorable(value: unknown): boolean {
  return typeof value === 'string' ? !value.includes('\0') : Number.isSafeInteger(value);
}

function sumOf({ list, filters }: CursorScope, body: Buffer): Buffer {
  return createHash('sha256')
    .update(JSON.stringify([list, sorted(filters)]))
    .update('\0')
    .update(body)
    .digest()
    .subarray(0, sumBytes);
}

function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, member]) => [name, sorted(member)]));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function invalidCursor(): AppError {
  return new AppError('input.cursor_invalid', 'This cursor was not given by this list with these filters.', {
    path: ['after'],
  });
}
