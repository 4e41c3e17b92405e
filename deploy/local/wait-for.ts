import { setTimeout as wait } from 'node:timers/promises';

/** Asks `probe` until it answers true; what it throws counts as not yet. */
export async function waitFor(what: string, probe: () => Promise<boolean>, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  let reason = '';
  while (performance.now() < deadline) {
    try {
      if (await probe()) return;
    } catch (error) {
      reason = error instanceof Error ? `: ${error.message}` : '';
    }
    await wait(30);
  }
  throw new Error(`${what} was not ready within ${timeoutMs / 1_000} s${reason}`);
}
