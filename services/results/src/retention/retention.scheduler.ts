import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { Clock } from '#libs/kernel';
import { CLOCK, Lifecycle, PeriodicTask } from '#libs/service';
import { AppLogger } from '#libs/telemetry';
import type { ResultsConfig } from '../results.config.js';
import { RetentionRepository } from './retention.repository.js';
import { RetentionService } from './retention.service.js';

/** Does the periodic work for as long as the process serves; of all processes one takes each turn. */
@Injectable()
export class RetentionScheduler implements OnApplicationBootstrap {
  constructor(
    private readonly service: RetentionService,
    private readonly repository: RetentionRepository,
    private readonly lifecycle: Lifecycle,
    private readonly logger: AppLogger,
    @Inject(CLOCK) private readonly clock: Clock,
    @InjectConfig() private readonly config: ResultsConfig,
  ) {}

  onApplicationBootstrap(): void {
    const { expirySweepSeconds, limitSweepSeconds, orphanSweepSeconds } = this.config.retention;
    const tasks = [
      this.inTurn('expiry', expirySweepSeconds, (signal) => this.service.expire(signal)),
      this.inTurn('limits', limitSweepSeconds, () => this.service.holdToLimits()),
      this.inTurn('orphans', orphanSweepSeconds, (signal) => this.service.sweepOrphans(this.clock.nowMs(), signal)),
    ];
    for (const task of tasks) task.start();
    this.lifecycle.onDrain('retention', async () => {
      await Promise.all(tasks.map((task) => task.stop()));
    });
  }

  private inTurn(name: string, periodSeconds: number, sweep: (signal: AbortSignal) => Promise<unknown>): PeriodicTask {
    const work = async (signal: AbortSignal): Promise<void> => {
      if (await this.repository.claimSweep(name, periodSeconds)) await sweep(signal);
    };
    // Never shorter than the period, or the turn of the one before would not be over yet.
    return new PeriodicTask({ name, everyMs: periodSeconds * 1_100, jitter: 0.09, work }, this.logger);
  }
}
