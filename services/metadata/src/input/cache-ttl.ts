import type { Issues } from './issues.js';

/** A day: what is older is asked of its source again. */
const ttlMax = 24 * 60 * 60;

/** Seconds, 0 for never answered from the cache; null where it is not said. */
export function checkCacheTtl(seconds: number | undefined, issues: Issues): number | null {
  if (seconds === undefined) return null;
  if (seconds < 0 || seconds > ttlMax) {
    issues.add(['cacheTtlSeconds'], `cacheTtlSeconds must be from 0 to ${ttlMax}.`);
  }
  return seconds;
}

/** In an update what is absent stays, and what is cleared is null. */
export function changedCacheTtl(
  { cacheTtlSeconds, cleared }: { readonly cacheTtlSeconds?: number | undefined; readonly cleared: readonly string[] },
  issues: Issues,
): number | null | undefined {
  const stays = cacheTtlSeconds === undefined && !cleared.includes('cacheTtlSeconds');
  return stays ? undefined : checkCacheTtl(cacheTtlSeconds, issues);
}
