/**
 * A counter that can be waited for. Whoever remembers its value from before a read cannot miss what was heard during the
 * read, and nothing is queued however much is heard. At most one waits at a time.
 */
export class Revision {
  private count = 0;
  private waiting: (() => void) | undefined;
  private heeded: AbortSignal | undefined;

  get value(): number {
    return this.count;
  }

  raise(): number {
    this.count += 1;
    this.waiting?.();
    return this.count;
  }

  /** Resolves when the value is beyond `known`, after `timeoutMs`, or when the signal fires. */
  beyond(known: number, signal: AbortSignal, timeoutMs?: number): Promise<void> {
    if (this.count > known || signal.aborted) return Promise.resolve();
    this.heed(signal);
    return new Promise((resolve) => {
      const wake = (): void => {
        this.waiting = undefined;
        clearTimeout(timer);
        resolve();
      };
      const timer = timeoutMs === undefined ? undefined : setTimeout(wake, timeoutMs);
      this.waiting = wake;
    });
  }

  /** Once for all waits: a listener that comes and goes with each would cost more than all else of it. */
  private heed(signal: AbortSignal): void {
    if (this.heeded === signal) return;
    this.heeded = signal;
    signal.addEventListener('abort', () => this.waiting?.(), { once: true });
  }
}
