import { delay } from '#libs/kernel';

export interface UntilOptions {
  /** Fails after this long; generous, as it only decides how long a broken test takes. */
  timeoutMs?: number;
  intervalMs?: number;
  /** What was awaited, for the failure's text. */
  what?: string;
}

/** Waits until `probe` gives something truthy and returns it. What it throws counts as not yet. */
export async function until<T>(
  probe: () => T | Promise<T>,
  { timeoutMs = 20_000, intervalMs = 20, what = 'the condition' }: UntilOptions = {},
): Promise<Exclude<T, false | null | undefined | 0 | ''>> {
  const deadline = performance.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const value = await probe();
      // Truthy, so none of the excluded values.
      if (value) return value as Exclude<T, false | null | undefined | 0 | ''>;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() > deadline)
      throw new Error(`${what} did not come within ${timeoutMs} ms`, { cause: lastError });
    await delay(intervalMs);
  }
}
