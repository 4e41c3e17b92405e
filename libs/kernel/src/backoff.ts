export interface BackoffOptions {
  /** Delay of the first retry, before jitter. */
  initialMs: number;
  maxMs: number;
  random?: () => number;
}

/** Exponential backoff with full jitter: between half and all of `initialMs * 2^attempt`, at most `maxMs`. `attempt` counts from 0. */
export function backoffMs(attempt: number, { initialMs, maxMs, random = Math.random }: BackoffOptions): number {
  const ceiling = Math.min(maxMs, initialMs * 2 ** Math.min(attempt, 30));
  return ceiling / 2 + random() * (ceiling / 2);
}

/** A timer that is set for longer ends at once. */
const timerMsMax = 2 ** 31 - 1;

/** Resolves after `ms`, or at once when the signal aborts; never rejects, and never keeps the process alive by itself when `unref` is set. */
export function delay(
  ms: number,
  { signal, unref = false }: { signal?: AbortSignal | undefined; unref?: boolean } = {},
): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const finish = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const wait = (leftMs: number): NodeJS.Timeout => {
      const onEnd = leftMs > timerMsMax ? () => (timer = wait(leftMs - timerMsMax)) : finish;
      const begun = setTimeout(onEnd, Math.min(leftMs, timerMsMax));
      return unref ? begun.unref() : begun;
    };
    let timer = wait(ms);
    signal?.addEventListener('abort', finish, { once: true });
  });
}
