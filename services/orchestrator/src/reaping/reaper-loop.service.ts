import { Inject, Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { Clock } from '#libs/kernel';
import { CLOCK, PeriodicTask, PeriodicTasks } from '#libs/service';
import { AppLogger } from '#libs/telemetry';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { HearingRepository } from './hearing.repository.js';
import { ReaperHealth } from './reaper-health.js';
import { ReaperService } from './reaper.service.js';
import { StopService } from './stop.service.js';

const gapAllowanceMs = 2_000;

/** Has the reaper look again and again, one look behind the other. */
@Injectable()
export class ReaperLoop extends PeriodicTasks {
  constructor(
    private readonly reaper: ReaperService,
    private readonly stops: StopService,
    hearing: HearingRepository,
    logger: AppLogger,
    @InjectConfig() { lease }: OrchestratorConfig,
    @Inject(CLOCK) clock: Clock,
  ) {
    const everyMs = lease.reapMs;
    const health = new ReaperHealth(clock, everyMs * 3 + gapAllowanceMs);
    // Beside the sweeps, so that a slow one is not taken for a stopped process.
    const watch = async (): Promise<void> => health.tick(await hearing.isReachable());
    const sweep = (): Promise<void> => reaper.sweep(health.hasBeenHealthyFor(lease.leaseSeconds * 1_000));
    super(
      new PeriodicTask({ name: 'hearing', everyMs, work: watch }, logger),
      new PeriodicTask({ name: 'what was left behind', everyMs, work: sweep }, logger),
    );
  }

  override async onModuleDestroy(): Promise<void> {
    await super.onModuleDestroy();
    await this.reaper.settle();
    await this.stops.settle();
  }
}
