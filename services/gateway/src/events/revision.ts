/**
 * A counter that can be waited for. Whoever remembers its value from before a read cannot miss what was heard during the
 * read, and nothing is queued however much is heard. At most one waits at a time.
 */
export class Revision {
  private count = 0;
  private waiting: (() => void) | undefined;
  private heeded: AbortSignal | undefined;
  private dueMs = Infinity;
  private timer: NodeJS.Timeout | undefined;
  private timerMs = Infinity;

  get value(): number {
    return this.count;
  }

  raise(): number {
    this.count += 1;
    this.wake();
    return this.count;
  }

  /** Resolves when the value is beyond `known`, after `timeoutMs`, or when the signal fires. */
  beyond(known: number, signal: AbortSignal, timeoutMs?: number): Promise<void> {
    if (this.count > known || signal.aborted) return Promise.resolve();
    this.heed(signal);
    this.dueMs = timeoutMs === undefined ? Infinity : performance.now() + timeoutMs;
    if (this.dueMs < this.timerMs) this.wakeAt(this.dueMs);
    return new Promise((resolve) => {
      this.waiting = resolve;
    });
  }

  private wake(): void {
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.();
  }

  /** One timer for many waits, most of which end long before it: it looks at what is due when it fires. */
  private wakeAt(dueMs: number): void {
    clearTimeout(this.timer);
    this.timerMs = dueMs;
    this.timer = setTimeout(() => this.onTimer(), Math.max(1, dueMs - performance.now()));
  }

  private onTimer(): void {
    this.timerMs = Infinity;
    if (!this.waiting || this.dueMs === Infinity) return;
    if (performance.now() >= this.dueMs) this.wake();
    else this.wakeAt(this.dueMs);
  }

  /** Once for all waits: a listener that comes and goes with each would cost more than all else of it. */
  private heed(signal: AbortSignal): void {
    if (this.heeded === signal) return;
    this.heeded = signal;
    const end = (): void => {
      clearTimeout(this.timer);
      this.timerMs = Infinity;
      this.wake();
    };
    signal.addEventListener('abort', end, { once: true });
  }
}
