/**
 * A counter that can be waited for. Whoever remembers its value from before a read cannot miss what was heard during the
 * read, and nothing is queued however much is heard. At most one waits at a time.
 */
export class Revision {
  private count = 0;
  private waiting: (() => void) | undefined;

  get value(): number {
    return this.count;
  }

  raise(): number {
    this.count += 1;
    this.waiting?.();
    return this.count;
  }

  /** Resolves when the value is beyond `known`, after `timeoutMs`, or when the signal fires. */
  async beyond(known: number, signal: AbortSignal, timeoutMs?: number): Promise<void> {
    if (this.count > known || signal.aborted) return;
    let timer: NodeJS.Timeout | undefined;
    let wake = (): void => {};
    try {
      await new Promise<void>((resolve) => {
        wake = resolve;
        this.waiting = wake;
        signal.addEventListener('abort', wake, { once: true });
        if (timeoutMs !== undefined) timer = setTimeout(wake, timeoutMs);
      });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', wake);
      this.waiting = undefined;
    }
  }
}
