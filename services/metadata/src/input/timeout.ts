import type { Issues } from './issues.js';

/** A day, as for every other limit of time. */
const timeoutMax = 24 * 60 * 60;

/** The longest that a statement may run at a source, in seconds; null where it is not said. */
export function checkTimeout(seconds: number | undefined, issues: Issues): number | null {
  if (seconds === undefined) return null;
  if (seconds < 1 || seconds > timeoutMax) {
    issues.add(['timeoutSeconds'], `timeoutSeconds must be from 1 to ${timeoutMax}.`);
  }
  return seconds;
}

/** In an update what is absent stays, and what is cleared is null. */
export function changedTimeout(
  { timeoutSeconds, cleared }: { readonly timeoutSeconds?: number | undefined; readonly cleared: readonly string[] },
  issues: Issues,
): number | null | undefined {
  const stays = timeoutSeconds === undefined && !cleared.includes('timeoutSeconds');
  return stays ? undefined : checkTimeout(timeoutSeconds, issues);
}
