import { Injectable } from '@nestjs/common';
import type { DataSourceChanged } from '#libs/contracts';
import { defaultPool } from '../dispatch/pool.js';
import { RunChanges } from '../run/run-changes.service.js';
import { sourceDeletedError } from '../run/run-errors.js';
import { RunRepository } from '../run/run.repository.js';
import { SourceRepository } from './source.repository.js';

const batchMax = 200;

@Injectable()
export class SourceService {
  constructor(
    private readonly repository: SourceRepository,
    private readonly runs: RunRepository,
    private readonly changes: RunChanges,
  ) {}

  /** Takes over a source's limit and pause. What waits for a deleted source ends; what already runs there may finish. */
  async take(change: DataSourceChanged, messageId: string): Promise<void> {
    await this.repository.take(change, messageId);
    // Even where the change is no news: the process may have died between the two, and ending twice does nothing.
    if (change.deleted) await this.endWaiting(change.dataSourceId);
    this.changes.queueChanged(defaultPool);
  }

  private async endWaiting(sourceId: string): Promise<void> {
    for (;;) {
      const waiting = await this.repository.findWaiting(sourceId, batchMax);
      for (const runTry of waiting) {
        const ended = await this.runs.finish(runTry, 'failWaiting', { error: sourceDeletedError });
        if (ended) this.changes.moved(ended);
      }
      if (waiting.length < batchMax) return;
    }
  }
}
