import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { PeriodicTask, PeriodicTasks } from '#libs/service';
import { AppLogger } from '#libs/telemetry';
import type { MetadataConfig } from '../metadata.config.js';
import { AuditRetentionService } from './audit-retention.service.js';

/** Has every instance delete old entries of the audit log. */
@Injectable()
export class AuditRetentionLoop extends PeriodicTasks {
  constructor(
    service: AuditRetentionService,
    logger: AppLogger,
    @InjectConfig() { audit }: Pick<MetadataConfig, 'audit'>,
  ) {
    const everyMs = audit.sweepSeconds * 1_000;
    super(new PeriodicTask({ name: 'audit retention', everyMs, work: (signal) => service.sweep(signal) }, logger));
  }
}
