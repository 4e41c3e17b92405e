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
    while (await this.pause(this.config.history.sweepSeconds * 1_000)) {
      await this.purge().catch((err: unknown) => this.logger.warn({ err }, 'old executions could not be deleted'));
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
