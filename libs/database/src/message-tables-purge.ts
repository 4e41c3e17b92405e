import type { OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import type { AppLogger } from '#libs/telemetry';
import type { InboxRepository } from './inbox/inbox.repository.js';
import type { OutboxStore } from './outbox/outbox.store.js';

const everyMs = 60_000;
const batchRows = 1_000;
/** So that one round cannot hold a connection for long. */
const batchesMax = 20;

/** Keeps outbox and inbox small. Every instance does it: the rows that one deletes are skipped by the others. */
export class MessageTablesPurge implements OnApplicationBootstrap, OnModuleDestroy {
  private timer: NodeJS.Timeout | undefined;
  private round: Promise<void> | undefined;

  constructor(
    private readonly dataSource: DataSource,
    private readonly outbox: OutboxStore,
    private readonly inbox: InboxRepository,
    private readonly logger: AppLogger,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.round ??= this.purge().finally(() => (this.round = undefined));
    }, everyMs);
    this.timer.unref();
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.round;
  }

  /** Deletes what is too old; a failure is logged, as the next round comes anyway. */
  async purge(): Promise<void> {
    try {
      await repeat(() => this.outbox.purge(batchRows));
      await repeat(() => this.inbox.purge(this.dataSource.manager, batchRows));
    } catch (error) {
      this.logger.warn({ err: error }, 'old events could not be deleted');
    }
  }
}

async function repeat(deleteBatch: () => Promise<number>): Promise<void> {
  for (let batch = 0; batch < batchesMax; batch += 1) {
    if ((await deleteBatch()) < batchRows) return;
  }
}
