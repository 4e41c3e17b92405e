import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { PeriodicTask, PeriodicTasks } from '#libs/service';
import { AppLogger } from '#libs/telemetry';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { HistoryService } from './history.service.js';

/** Has every orchestrator delete what is too old. */
@Injectable()
export class HistoryLoop extends PeriodicTasks {
  constructor(service: HistoryService, logger: AppLogger, @InjectConfig() { history }: OrchestratorConfig) {
    const everyMs = history.sweepSeconds * 1_000;
    super(new PeriodicTask({ name: 'history', everyMs, work: (signal) => service.purge(signal) }, logger));
  }
}
