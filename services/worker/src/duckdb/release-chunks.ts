import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options: { type: 'minor' }) => void;

const chunksBetween = 64;

let collect: Collect | undefined;
let chunks = 0;

/**
 * Called for each chunk that the engine hands over. The engine's memory of a chunk is given back when the collector
 * finds the chunk's small JavaScript object dead; the collector does not know how much hangs on it and takes its time,
 * until hundreds of megabytes wait. So it is asked to look at the young objects every so many chunks, which takes
 * about a millisecond.
 */
export function releaseChunks(): void {
  chunks += 1;
  if (chunks % chunksBetween !== 0) return;
  collect ??= findCollector();
  collect({ type: 'minor' });
}

function findCollector(): Collect {
  setFlagsFromString('--expose-gc');
  // A new context has the function that the flag exposes; this one was made before the flag.
  const found: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  // An engine without it only keeps the memory for longer.
  return typeof found === 'function' ? (found as Collect) : () => undefined;
}
