import type { Call } from './blocking-reader.js';

export interface StreamState {
  /** The greatest id that the stream ever gave; 0-0 where there is no stream. */
  lastId: string;
  /** Undefined where the stream is empty or not there. */
  firstId: string | undefined;
  /** How many entries it was ever given. Counted by Redis 7 and later. */
  entriesAdded: number | undefined;
}

const noStream: StreamState = { lastId: '0-0', firstId: undefined, entriesAdded: 0 };

/** What tells a stream that was lost, or began anew, from one that is merely quiet. */
export async function streamState(call: Call, key: string): Promise<StreamState> {
  try {
    const raw = await call('XINFO', 'STREAM', key);
    if (!Array.isArray(raw)) return noStream;
    const names = raw.map(String);
    const of = (name: string): unknown => (names.includes(name) ? raw[names.indexOf(name) + 1] : undefined);
    const first = of('first-entry');
    const added = of('entries-added');
    return {
      lastId: String(of('last-generated-id')),
      firstId: Array.isArray(first) ? String(first[0]) : undefined,
      entriesAdded: added === undefined ? undefined : Number(added),
    };
  } catch (error) {
    if (error instanceof Error && error.message.includes('no such key')) return noStream;
    throw error;
  }
}
