import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { delay, type Clock } from '#libs/kernel';
import { CLOCK, Lifecycle } from '#libs/service';
import { AppLogger } from '#libs/telemetry';
import type { ResultsConfig } from '../results.config.js';
import { RetentionRepository } from './retention.repository.js';
import { RetentionService } from './retention.service.js';

/** Does the periodic work for as long as the process serves; of all processes one takes each turn. */
@Injectable()
export class RetentionScheduler implements OnApplicationBootstrap {
  private readonly stopping = new AbortController();

  constructor(
    private readonly service: RetentionService,
    private readonly repository: RetentionRepository,
    private readonly lifecycle: Lifecycle,
    private readonly logger: AppLogger,
    @Inject(CLOCK) private readonly clock: Clock,
    @InjectConfig() private readonly config: ResultsConfig,
  ) {}

  onApplicationBootstrap(): void {
    const { signal } = this.stopping;
    const { expirySweepSeconds, limitSweepSeconds, orphanSweepSeconds } = this.config.retention;
    const loops = [
      this.repeat('expiry', expirySweepSeconds, () => this.service.expire(signal)),
      this.repeat('limits', limitSweepSeconds, () => this.service.holdToLimits()),
      this.repeat('orphans', orphanSweepSeconds, () => this.service.sweepOrphans(this.clock.nowMs(), signal)),
    ];
    this.lifecycle.onDrain('retention', async () => {
      this.stopping.abort();
      await Promise.all(loops);
    });
  }

  /** A turn that fails is logged; the next one finds the same work. */
  private async repeat(name: string, periodSeconds: number, work: () => Promise<unknown>): Promise<void> {
    const { signal } = this.stopping;
    for (;;) {
      // Never shorter than the period, or the turn of the one before would not be over yet.
      await delay(periodSeconds * 1_000 * (1 + Math.random() / 10), { signal });
      if (signal.aborted) return;
      try {
        if (await this.repository.claimSweep(name, periodSeconds)) await work();
      } catch (err) {
        this.logger.error({ err, sweep: name }, 'a periodic work has failed');
      }
    }
  }
}
