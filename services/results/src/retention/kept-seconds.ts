import type { ResultsConfig } from '../results.config.js';

type Retention = ResultsConfig['retention'];

/** How long a result is kept: as long as is set, and never shorter than it may answer others. */
export function keptSeconds(retention: Retention): number {
  return Math.max(retention.ttlSeconds, answeringSeconds(retention));
}

/**
 * How long a result may answer others: up to the greatest age, and a stale answer may be as much older again; then
 * whoever has it must still have the time to read it.
 */
export function answeringSeconds({ cacheTtlMaxSeconds }: Pick<Retention, 'cacheTtlMaxSeconds'>): number {
  return 2 * cacheTtlMaxSeconds + readingSeconds;
}

const readingSeconds = 3_600;
