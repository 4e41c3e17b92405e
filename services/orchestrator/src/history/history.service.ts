import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { delay } from '#libs/kernel';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { RevisionHistoryService } from '../cache/revision-history.service.js';
import { MetadataClient } from '../source/metadata.client.js';
import { WebhookDeliveryRepository } from '../webhook/webhook-delivery.repository.js';
import { HistoryRepository } from './history.repository.js';

const pauseMs = 50;

/** Keeps the tables small. Every instance tries; one at a time deletes. */
@Injectable()
export class HistoryService {
  private readonly purged;

  constructor(
    private readonly repository: HistoryRepository,
    private readonly deliveries: WebhookDeliveryRepository,
    private readonly revisions: RevisionHistoryService,
    private readonly metadata: MetadataClient,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: OrchestratorConfig,
    metrics: MetricsRegistry,
  ) {
    this.purged = metrics.counter({
      name: 'purged_rows_total',
      help: 'Rows deleted, or keys forgotten, because they were too old.',
      labels: ['kind'],
    });
  }

  async purge(signal: AbortSignal): Promise<void> {
    await this.purgeHistory(signal).catch((err: unknown) =>
      this.logger.warn({ err }, 'old executions could not be deleted'),
    );
    await this.repeat('idempotency_key', () => this.repository.purgeIdempotencyKeys(), signal);
    await this.repeat('idle', () => this.repository.purgeIdle(), signal);
    const { logDays } = this.config.webhooks;
    await this.repeat('webhook_delivery', () => this.deliveries.purge(logDays, this.repository.batchMax), signal);
    this.purged.inc({ kind: 'cache_revision' }, await this.revisions.purge(signal));
  }

  /** Without knowing what the workspaces want nothing is deleted. */
  private async purgeHistory(signal: AbortSignal): Promise<void> {
    const { history, cache } = this.config;
    const retention = { days: history.keepDays, own: await this.metadata.listHistoryRetentions() };
    await this.repeat('execution', () => this.repository.purgeExecutions(retention), signal);
    // A stale answer may be as much older again.
    await this.repeat('run', () => this.repository.purgeRuns(retention, 2 * cache.ttlMaxSeconds), signal);
  }

  private async repeat(kind: string, deleteBatch: () => Promise<number>, signal: AbortSignal): Promise<void> {
    const { batchMax } = this.repository;
    for (let isMore = true; isMore && !signal.aborted;) {
      const count = await deleteBatch();
      this.purged.inc({ kind }, count);
      isMore = count >= batchMax;
      if (isMore) await delay(pauseMs, { signal });
    }
  }
}
