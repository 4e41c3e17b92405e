import { Injectable } from '@nestjs/common';
import { PeriodicTask, PeriodicTasks } from '#libs/service';
import { AppLogger } from '#libs/telemetry';
import { LostAccessService } from './lost-access.service.js';

/** With the age of what is known of grants it stays below the 5 s in which a change holds everywhere. */
const everyMs = 2_000;

/** Has every orchestrator look who may no longer run what is running. */
@Injectable()
export class LostAccessLoop extends PeriodicTasks {
  constructor(service: LostAccessService, logger: AppLogger) {
    super(new PeriodicTask({ name: 'lost access', everyMs, work: (signal) => service.sweep(signal) }, logger));
  }
}
