/**
 * Whether a trial cannot be made here, which is said where the others tell what they have done: a run that leaves one out must not look
 * like one that has made it.
 * @param missing what it lacks
 */
export function isNotTried(trial: string, missing: readonly string[]): boolean {
  if (missing.length > 0) process.stdout.write(`not tried: ${trial}: ${missing.join(' and ')} missing\n`);
  return missing.length > 0;
}
