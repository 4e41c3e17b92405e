import type { Envelope } from '#libs/contracts';
import type { Call, ReaderParts } from './blocking-reader.js';
import { takeRequests } from './scripts.js';
import type { ServerClock } from './server-clock.js';
import { addedAtMs, decodeEnvelope, type StreamEntry } from './stream-entry.js';

export interface TakenRequest {
  envelope: Envelope;
  /** Of its ttl, by the clock of the Redis server. */
  remainingMs: number;
}

interface Taking {
  readonly key: string;
  readonly group?: string;
  readonly entries: readonly StreamEntry[];
  readonly clock: ServerClock;
  /** Called once for each request that is to be handled. */
  readonly hand: (request: TakenRequest) => void;
  readonly isIdempotent: (envelope: Envelope) => boolean;
}

/**
 * Deletes entries from their stream, and hands on those requests that are ours alone to handle and still awaited. What
 * somebody else has deleted, another instance or a caller who gave up, is not among them. Only a request that does no
 * harm where its caller has just given up is handed on before the deletion is answered.
 */
export async function takeEntries(
  call: Call,
  parts: ReaderParts,
  { key, group = '', entries, clock, hand, isIdempotent }: Taking,
): Promise<void> {
  const deleting = takeRequests.run(call, key, group, ...entries.map(({ id }) => id));
  // It is awaited below; whatever throws before that must not leave it to nobody.
  deleting.catch(() => undefined);
  const requests = entries.map(({ id, bytes }) => ({ id, envelope: requestIn(bytes) }));
  const handIfFresh = (id: string, envelope: Envelope, nowMs: number): boolean => {
    const waitedMs = Math.max(0, nowMs - addedAtMs(id));
    if (waitedMs >= envelope.ttlMs) return false;
    parts.metrics.queueSeconds.observe(waitedMs / 1_000);
    hand({ envelope, remainingMs: envelope.ttlMs - waitedMs });
    return true;
  };
  const knownMs = clock.nowMs();
  const early = new Set<string>();
  for (const { id, envelope } of requests) {
    if (!envelope || knownMs === undefined || !isIdempotent(envelope)) continue;
    if (handIfFresh(id, envelope, knownMs)) early.add(id);
  }
  // As the script's head says.
  const [nowMs = 0, ...isOurs] = (await deleting) as number[];
  clock.hear(nowMs);
  requests.forEach(({ id, envelope }, index) => {
    if (isOurs[index] !== 1 || early.has(id)) return;
    if (!envelope) parts.metrics.malformed.inc({ stream: 'requests' });
    else if (!handIfFresh(id, envelope, nowMs)) parts.metrics.stale.inc();
  });
}

function requestIn(bytes: Buffer | undefined): Envelope | undefined {
  const envelope = decodeEnvelope(bytes);
  return envelope?.kind === 'REQUEST' ? envelope : undefined;
}
