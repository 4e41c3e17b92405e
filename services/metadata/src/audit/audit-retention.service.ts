import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { delay } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import type { MetadataConfig } from '../metadata.config.js';
import { AuditChainRepository } from './audit-chain.repository.js';

const batchRows = 1_000;

/** Deletes entries that are older than their workspace keeps them. Every instance does it; they pass over what another one has. */
@Injectable()
export class AuditRetentionService implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly stopping = new AbortController();
  private loop: Promise<void> | undefined;

  constructor(
    private readonly chains: AuditChainRepository,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: Pick<MetadataConfig, 'audit'>,
  ) {}

  onApplicationBootstrap(): void {
    this.loop = this.run();
  }

  async onModuleDestroy(): Promise<void> {
    this.stopping.abort();
    await this.loop;
  }

  /** One round. */
  async sweep(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      const deleted = await this.chains.deleteOld(batchRows);
      if (!deleted) break;
      this.logger.info(deleted, 'old entries of the audit log were deleted');
    }
    for (const partition of await this.chains.renewPartitions()) {
      this.logger.info({ partition }, 'an empty partition of the audit log was dropped');
    }
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    for (;;) {
      await delay(this.config.audit.sweepSeconds * 1_000, { signal, unref: true });
      if (signal.aborted) return;
      await this.sweep().catch((err: unknown) =>
        this.logger.warn({ err }, 'old entries of the audit log could not be deleted'),
      );
    }
  }
}
