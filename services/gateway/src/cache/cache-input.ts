import type { RequestOf, runRequests } from '#libs/contracts';
import { invalidInput } from '../errors/user-error.js';

/** The ages that have a name. */
export const profileSeconds = { LIVE: 300, OPERATIONAL: 900, HOURLY: 3_600, EXPLORING: 21_600, DAILY: 86_400 } as const;

export interface CacheInput {
  readonly maxAgeSeconds?: number | null;
  readonly profile?: keyof typeof profileSeconds | null;
  readonly staleWhileRevalidateSeconds?: number | null;
}

export function toCacheWish({
  maxAgeSeconds,
  profile,
  staleWhileRevalidateSeconds,
}: CacheInput): RequestOf<typeof runRequests.submitExecution>['cache'] {
  if (profile && typeof maxAgeSeconds === 'number') {
    throw invalidInput('give maxAgeSeconds or a profile, not both', 'cache', 'profile');
  }
  return {
    maxAgeSeconds: maxAgeSeconds ?? (profile ? profileSeconds[profile] : undefined),
    staleWhileRevalidateSeconds: staleWhileRevalidateSeconds ?? undefined,
  };
}
