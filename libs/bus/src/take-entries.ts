import type { Envelope } from '#libs/contracts';
import type { Call, ReaderParts } from './blocking-reader.js';
import { takeRequests } from './scripts.js';
import { addedAtMs, decodeEnvelope, type StreamEntry } from './stream-entry.js';

export interface TakenRequest {
  envelope: Envelope;
  /** Of its ttl, by the clock of the Redis server. */
  remainingMs: number;
}

/**
 * Deletes entries from their stream, and gives those requests that are now ours alone to handle and still awaited. What
 * somebody else has deleted, another instance or a caller who gave up, is not among them.
 */
export async function takeEntries(
  call: Call,
  parts: ReaderParts,
  { key, group = '', entries }: { key: string; group?: string; entries: readonly StreamEntry[] },
): Promise<TakenRequest[]> {
  const ids = entries.map((entry) => entry.id);
  const reply = await takeRequests.run(call, key, group, ...ids);
  // As the script's head says.
  const [nowMs = 0, ...isOurs] = reply as number[];
  const taken: TakenRequest[] = [];
  entries.forEach(({ id, bytes }, index) => {
    if (isOurs[index] !== 1) return;
    const envelope = decodeEnvelope(bytes);
    if (envelope?.kind !== 'REQUEST') {
      parts.metrics.malformed.inc({ stream: 'requests' });
      return;
    }
    const waitedMs = Math.max(0, nowMs - addedAtMs(id));
    parts.metrics.queueSeconds.observe(waitedMs / 1_000);
    if (waitedMs >= envelope.ttlMs) parts.metrics.stale.inc();
    else taken.push({ envelope, remainingMs: envelope.ttlMs - waitedMs });
  });
  return taken;
}
