import { Injectable } from '@nestjs/common';
import { PeriodicTask, PeriodicTasks } from '#libs/service';
import { AppLogger } from '#libs/telemetry';
import { RetentionService } from './retention.service.js';

const everyMs = 600_000;

/** Has every process remove what can no longer matter. */
@Injectable()
export class RetentionLoop extends PeriodicTasks {
  constructor(service: RetentionService, logger: AppLogger) {
    super(new PeriodicTask({ name: 'old rows', everyMs, jitter: 0.5, work: () => service.deleteOld() }, logger));
  }
}
