import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { delay } from '#libs/kernel';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { MetadataClient } from '../source/metadata.client.js';
import { WebhookDeliveryRepository } from '../webhook/webhook-delivery.repository.js';
import { HistoryRepository } from './history.repository.js';

const pauseMs = 50;

/** Keeps the tables small. Every instance tries; one at a time deletes. */
@Injectable()
export class HistoryService implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly stopping = new AbortController();
  private work: Promise<void> | undefined;
  private readonly purged;

  constructor(
    private readonly repository: HistoryRepository,
    private readonly deliveries: WebhookDeliveryRepository,
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

  onApplicationBootstrap(): void {
    this.work = this.run();
  }

  async onModuleDestroy(): Promise<void> {
    this.stopping.abort();
    await this.work;
  }

  async purge(): Promise<void> {
    await this.purgeHistory().catch((err: unknown) => this.logger.warn({ err }, 'old executions could not be deleted'));
    await this.repeat('idempotency_key', () => this.repository.purgeIdempotencyKeys());
    await this.repeat('idle', () => this.repository.purgeIdle());
    const { logDays } = this.config.webhooks;
    await this.repeat('webhook_delivery', () => this.deliveries.purge(logDays, this.repository.batchMax));
  }

  /** Without knowing what the workspaces want nothing is deleted. */
  private async purgeHistory(): Promise<void> {
    const { history, cache } = this.config;
    const retention = { days: history.keepDays, own: await this.metadata.listHistoryRetentions() };
    await this.repeat('execution', () => this.repository.purgeExecutions(retention));
    // A stale answer may be as much older again.
    await this.repeat('run', () => this.repository.purgeRuns(retention, 2 * cache.ttlMaxSeconds));
  }

  private async run(): Promise<void> {
    while (await this.pause(this.config.history.sweepSeconds * 1_000)) {
      await this.purge().catch((err: unknown) => this.logger.warn({ err }, 'what is too old could not be deleted'));
    }
  }

  private async repeat(kind: string, deleteBatch: () => Promise<number>): Promise<void> {
    const { batchMax } = this.repository;
    for (let isMore = true; isMore;) {
      const count = await deleteBatch();
      this.purged.inc({ kind }, count);
      isMore = count >= batchMax && (await this.pause(pauseMs));
    }
  }

  /** @returns false where the process is stopping */
  private async pause(ms: number): Promise<boolean> {
    await delay(ms, { signal: this.stopping.signal });
    return !this.stopping.signal.aborted;
  }
}
