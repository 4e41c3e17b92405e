import type { ResultsConfig } from '../results.config.js';

/**
 * How long a result is kept: as long as is set, and never shorter than it may answer others. It answers up to the greatest age,
 * and a stale answer may be as much older again; then whoever has it must still have the time to read it.
 */
export function keptSeconds({ ttlSeconds, cacheTtlMaxSeconds }: ResultsConfig['retention']): number {
  return Math.max(ttlSeconds, 2 * cacheTtlMaxSeconds + readingSeconds);
}

const readingSeconds = 3_600;
