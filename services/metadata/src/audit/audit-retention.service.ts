import { Injectable } from '@nestjs/common';
import { AppLogger } from '#libs/telemetry';
import { AuditChainRepository } from './audit-chain.repository.js';

const batchRows = 1_000;

/** Deletes entries that are older than their workspace keeps them. Every instance does it; they pass over what another one has. */
@Injectable()
export class AuditRetentionService {
  constructor(
    private readonly chains: AuditChainRepository,
    private readonly logger: AppLogger,
  ) {}

  /** One round. */
  async sweep(signal: AbortSignal): Promise<void> {
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
