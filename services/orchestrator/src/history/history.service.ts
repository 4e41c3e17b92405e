import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { delay } from '#libs/kernel';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { HistoryRepository } from './history.repository.js';

const pauseMs = 50;

/** Keeps the tables small. Every instance does it; the rows that one deletes are passed over by the others. */
@Injectable()
export class HistoryService implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly stopping = new AbortController();
  private work: Promise<void> | undefined;
  private readonly purged;

  constructor(
    private readonly repository: HistoryRepository,
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
    await this.repeat('run', () => this.repository.purgeRuns(this.config.history.keepDays));
    await this.repeat('idempotency_key', () => this.repository.purgeIdempotencyKeys());
    await this.repeat('idle', () => this.repository.purgeIdle());
  }

  private async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      await delay(this.config.history.sweepSeconds * 1_000, { signal: this.stopping.signal });
      if (this.stopping.signal.aborted) return;
      await this.purge().catch((err: unknown) => this.logger.warn({ err }, 'old executions could not be deleted'));
    }
  }

  private async repeat(kind: string, deleteBatch: () => Promise<number>): Promise<void> {
    for (let count = this.repository.batchMax; count >= this.repository.batchMax && !this.stopping.signal.aborted;) {
      count = await deleteBatch();
      this.purged.inc({ kind }, count);
      if (count >= this.repository.batchMax) await delay(pauseMs, { signal: this.stopping.signal });
    }
  }
}
