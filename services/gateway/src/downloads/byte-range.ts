/** What a Range header asks for: from a byte on, up to one at most, or the last so many. */
export type ByteRange =
  | { readonly kind: 'from'; readonly from: number; readonly last: number | undefined }
  | { readonly kind: 'last'; readonly count: number };

const form = /^bytes=(?:(\d{1,15})-(\d{0,15})|-(\d{1,15}))$/;

/** One range of bytes. Anything else, several ranges among it, is as if nothing had been asked (RFC 9110, 14.2). */
export function parseRange(header: string | undefined): ByteRange | undefined {
  const match = form.exec(header?.replaceAll(' ', '') ?? '');
  if (!match) return undefined;
  const [, from, last, count] = match;
  if (from === undefined) return { kind: 'last', count: Number(count) };
  const range = { kind: 'from', from: Number(from), last: last ? Number(last) : undefined } as const;
  return range.last !== undefined && range.last < range.from ? undefined : range;
}

/** The bytes that a range names of a file of this length, or undefined where it has none of them. */
export function boundsOf(range: ByteRange, length: number): { readonly from: number; readonly to: number } | undefined {
  const from = range.kind === 'from' ? range.from : Math.max(length - range.count, 0);
  const to = range.kind === 'from' ? Math.min((range.last ?? length - 1) + 1, length) : length;
  return from < to ? { from, to } : undefined;
}
