import type { IncomingMessage } from 'node:http';

const plainTypes: ReadonlySet<string | undefined> = new Set([
  'application/json',
  'application/json; charset=utf-8',
  'application/json;charset=utf-8',
]);

/** Whether a body is JSON as nearly every client sends it: UTF-8, in no encoding, of a stated length within the bounds. */
export function hasPlainJson({ headers }: IncomingMessage, bytesMax: number): boolean {
  const length = Number(headers['content-length']);
  return (
    plainTypes.has(headers['content-type']?.toLowerCase()) &&
    headers['content-encoding'] === undefined &&
    length > 0 &&
    length <= bytesMax
  );
}

/** A body, and as what it was sent where that is known. */
export interface JsonBody {
  readonly value: unknown;
  readonly text?: string;
}

/**
 * Calls back with the object or list that the body is, or with undefined where it is neither. Of a client that leaves while
 * it sends, nothing is heard.
 */
export function readPlainJson(request: IncomingMessage, done: (body: JsonBody | undefined) => void): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const [first = Buffer.alloc(0)] = chunks;
    done(parse((chunks.length === 1 ? first : Buffer.concat(chunks)).toString()));
  });
}

function parse(text: string): JsonBody | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { value, text } : undefined;
  } catch {
    return undefined;
  }
}
