import type { OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import { delay } from '#libs/kernel';
import type { AppLogger } from '#libs/telemetry';

export interface PeriodicWork {
  /** For the log. */
  readonly name: string;
  readonly everyMs: number;
  /** The part of the interval by which a pause may be shorter, so that processes which started together do not work together. */
  readonly jitter?: number;
  /** Is told when the process stops, which waits for it. */
  readonly work: (signal: AbortSignal) => Promise<unknown>;
}

/**
 * Does its work every so often from the start of the process to its end, the first time after one pause. The pause begins when
 * the work has ended, so that no two of them are under way. What fails is tried again after the next pause; of failures in a row the
 * first is a warning, and that it goes well again is told once.
 */
export class PeriodicTask implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private failures = 0;

  constructor(
    private readonly task: PeriodicWork,
    private readonly logger: Pick<AppLogger, 'debug' | 'info' | 'warn'>,
    private readonly random: () => number = Math.random,
  ) {}

  onApplicationBootstrap(): void {
    this.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.stop();
  }

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
    const { name, work } = this.task;
    try {
      await work(signal);
    } catch (err) {
      this.failures += 1;
      this.logger[this.failures === 1 ? 'warn' : 'debug']({ err, task: name }, 'a periodic task has failed');
      return;
    }
    if (this.failures > 0) this.logger.info({ task: name, failures: this.failures }, 'a periodic task goes well again');
    this.failures = 0;
  }
}
