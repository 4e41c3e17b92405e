import { delay } from '#libs/kernel';
import type { AppLogger } from '#libs/telemetry';

export interface PeriodicWork {
  /** For the log. */
  readonly name: string;
  readonly everyMs: number;
  /** The part of the interval by which a pause may be shorter, so that processes which started together do not work together. */
  readonly jitter?: number;
  /** Is told when the process stops, which waits for it. `left` says that it was another's turn: how the work goes is not known by it. */
  readonly work: (signal: AbortSignal) => Promise<void | 'left'>;
}

/** What fails in the same way is told again after this long. */
const tellAgainMs = 300_000;

/**
 * Does its work every so often, the first time after one pause. The pause begins when the work has ended, so that no two of them are
 * under way. What fails is tried again after the next pause; of failures in a row the first is a warning, each that is another
 * than the one before, and one every few minutes. That it goes well again is told once.
 */
export class PeriodicTask {
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private failures = 0;
  private told: { readonly failure: string; readonly atMs: number } | undefined;

  constructor(
    private readonly task: PeriodicWork,
    private readonly logger: Pick<AppLogger, 'debug' | 'info' | 'warn'>,
    private readonly random: () => number = Math.random,
  ) {}

  start(): void {
    this.running ??= this.run();
  }

  /** Begins no more; what is under way is waited for. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { everyMs, jitter = 0.1 } = this.task;
    const { signal } = this.stopping;
    for (;;) {
      await delay(everyMs * (1 - jitter * this.random()), { signal, unref: true });
      if (signal.aborted) return;
      await this.workOnce(signal);
    }
  }

  private async workOnce(signal: AbortSignal): Promise<void> {
    const { name: task, work } = this.task;
    try {
      if ((await work(signal)) === 'left') return;
    } catch (err) {
      this.tellFailure(err);
      return;
    }
    if (this.failures > 0) this.logger.info({ task, failures: this.failures }, 'a periodic task goes well again');
    this.failures = 0;
    this.told = undefined;
  }

  private tellFailure(err: unknown): void {
    this.failures += 1;
    const failure = String(err);
    const nowMs = performance.now();
    const isKnown = this.told?.failure === failure && nowMs - this.told.atMs < tellAgainMs;
    if (!isKnown) this.told = { failure, atMs: nowMs };
    const fields = { err, task: this.task.name, failures: this.failures };
    this.logger[isKnown ? 'debug' : 'warn'](fields, 'a periodic task has failed');
  }
}
