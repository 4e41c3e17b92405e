import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { PeriodicTask } from '#libs/service';
import { AppLogger } from '#libs/telemetry';
import type { MetadataConfig } from '../metadata.config.js';
import { AuditChainRepository } from './audit-chain.repository.js';

const batchRows = 1_000;

/** Deletes entries that are older than their workspace keeps them. Every instance does it; they pass over what another one has. */
@Injectable()
export class AuditRetentionService implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly task: PeriodicTask;

  constructor(
    private readonly chains: AuditChainRepository,
    private readonly logger: AppLogger,
    @InjectConfig() config: Pick<MetadataConfig, 'audit'>,
  ) {
    const everyMs = config.audit.sweepSeconds * 1_000;
    this.task = new PeriodicTask({ name: 'audit retention', everyMs, work: (signal) => this.sweep(signal) }, logger);
  }

  onApplicationBootstrap(): void {
    this.task.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.task.stop();
  }

  /** One round. */
  async sweep(signal: AbortSignal = new AbortController().signal): Promise<void> {
    while (!signal.aborted) {
      const deleted = await this.chains.deleteOld(batchRows);
      if (!deleted) break;
      this.logger.info(deleted, 'old entries of the audit log were deleted');
    }
    for (const partition of await this.chains.renewPartitions()) {
      this.logger.info({ partition }, 'an empty partition of the audit log was dropped');
    }
  }
}
