import { createHash } from 'node:crypto';
import type { WorkerConfig } from '../worker.config.js';

/** The queue of a worker's jobs: its pool's, or one that it shares with those who are bound to the same. */
export function runQueueName({ pool, sourceIds, sourceTypes }: WorkerConfig['run']): string {
  if (sourceIds.length === 0 && sourceTypes.length === 0) return `run-${pool}`;
  const binding = JSON.stringify([sourceIds.toSorted(), sourceTypes.toSorted()]);
  return `run-${pool}-${createHash('sha256').update(binding).digest('hex').slice(0, 16)}`;
}
