import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options: { type: 'minor' }) => void;

/** So much may wait for the collector. */
const waitingBytesMax = 4 * 1024 * 1024;

let collect: Collect | undefined;
let waitingBytes = 0;

/**
 * Called for all bytes of rows that lie outside the collector's heap, when they are handed on. They are given back when it finds
 * the small JavaScript object dead that they hang on; it makes little of how much that is and takes its time, until a hundred megabytes or
 * more wait. So it is asked to look at the young objects every so many bytes, which takes about a millisecond.
 */
export function releaseBuffers(bytes: number): void {
  waitingBytes += bytes;
  if (waitingBytes < waitingBytesMax) return;
  waitingBytes = 0;
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
