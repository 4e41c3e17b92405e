import { envelopeCodec, type Envelope } from '#libs/contracts';

/** The one field of an entry. */
export const field = 'e';

export interface StreamEntry {
  id: string;
  /** Undefined where the entry was deleted in the meantime. */
  bytes: Buffer | undefined;
}

/** The entries of one stream in the answer of XREAD, XREADGROUP or XAUTOCLAIM. */
export function parseEntries(raw: unknown): StreamEntry[] {
  if (!Array.isArray(raw)) return [];
  return raw.filter(Array.isArray).map((entry: unknown[]) => ({
    id: String(entry[0]),
    bytes: Array.isArray(entry[1]) && Buffer.isBuffer(entry[1][1]) ? entry[1][1] : undefined,
  }));
}

/** Streams and their entries, in the answer of XREAD and XREADGROUP; empty where nothing came in time. */
export function parseStreams(raw: unknown): { key: string; entries: StreamEntry[] }[] {
  if (!Array.isArray(raw)) return [];
  return raw
    .filter(Array.isArray)
    .map((stream: unknown[]) => ({ key: String(stream[0]), entries: parseEntries(stream[1]) }));
}

/** The envelope, or undefined for what is none. */
export function decodeEnvelope(bytes: Buffer | undefined): Envelope | undefined {
  if (!bytes) return undefined;
  try {
    return envelopeCodec.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The same bytes, not a copy, as ioredis wants them. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Milliseconds of the Redis server's clock at which the entry was added. */
export function addedAtMs(id: string): number {
  return Number(id.slice(0, id.indexOf('-')));
}

/** Orders two ids of a stream. */
export function compareIds(left: string, right: string): number {
  const [leftMs = '0', leftSequence = '0'] = left.split('-');
  const [rightMs = '0', rightSequence = '0'] = right.split('-');
  return Number(leftMs) - Number(rightMs) || Number(leftSequence) - Number(rightSequence);
}
