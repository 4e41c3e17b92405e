import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { delay, type Clock } from '#libs/kernel';
import { CLOCK } from '#libs/service';
import { AppLogger } from '#libs/telemetry';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { HearingRepository } from './hearing.repository.js';
import { ReaperHealth } from './reaper-health.js';
import { ReaperService } from './reaper.service.js';
import { StopService } from './stop.service.js';

const gapAllowanceMs = 2_000;

/** Has the reaper look again and again, one look behind the other. */
@Injectable()
export class ReaperLoop implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly health: ReaperHealth;
  private readonly stopping = new AbortController();
  private work: Promise<void> | undefined;

  constructor(
    private readonly reaper: ReaperService,
    private readonly stops: StopService,
    private readonly hearing: HearingRepository,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: OrchestratorConfig,
    @Inject(CLOCK) clock: Clock,
  ) {
    this.health = new ReaperHealth(clock, config.lease.reapMs * 3 + gapAllowanceMs);
  }

  onApplicationBootstrap(): void {
    this.work = Promise.all([this.watch(), this.run()]).then(() => undefined);
  }

  async onModuleDestroy(): Promise<void> {
    this.stopping.abort();
    await this.work;
    await this.reaper.settle();
    await this.stops.settle();
  }

  /** Beside the sweeps, so that a slow one is not taken for a stopped process. */
  private async watch(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      this.health.tick(await this.hearing.isReachable());
      await this.pause();
    }
  }

  private async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      try {
        await this.reaper.sweep(this.health.hasBeenHealthyFor(this.config.lease.leaseSeconds * 1_000));
      } catch (err) {
        this.logger.warn({ err }, 'a look at what was left behind has failed');
      }
      await this.pause();
    }
  }

  private pause(): Promise<void> {
    return delay(this.config.lease.reapMs, { signal: this.stopping.signal });
  }
}
