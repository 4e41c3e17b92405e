import { Injectable } from '@nestjs/common';
import { PeriodicTask, PeriodicTasks } from '#libs/service';
import { AppLogger } from '#libs/telemetry';
import { WarmUpService } from './warm-up.service.js';

const everyMs = 1_000;

/** Has every orchestrator look for warm-ups that are due. */
@Injectable()
export class WarmUpLoop extends PeriodicTasks {
  constructor(service: WarmUpService, logger: AppLogger) {
    super(new PeriodicTask({ name: 'warm-ups', everyMs, work: (signal) => service.runDue(signal) }, logger));
  }
}
