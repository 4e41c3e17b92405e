import { Injectable } from '@nestjs/common';
import { BusClient } from '#libs/bus';
import { executionChanged, runChanged, type ExecutionChanged } from '#libs/contracts';
import { RunMetrics } from './run-metrics.service.js';
import { visibleError } from './run-errors.js';
import type { Run } from './run.types.js';
import { isFinal, publicState } from './transitions.js';

type Listener = (pool: string) => void;

/**
 * Told after each commit that changed a run: it tells gateways, measures, and wakes the dispatcher where a slot or work
 * has become free. All of it only hurries; whoever misses it reads the same from PostgreSQL.
 */
@Injectable()
export class RunChanges {
  private readonly listeners = new Set<Listener>();

  constructor(
    private readonly bus: BusClient,
    private readonly metrics: RunMetrics,
  ) {}

  /** Calls `listener` when the queue of a pool may have something to do. */
  onQueueChanged(listener: Listener): void {
    this.listeners.add(listener);
  }

  moved(run: Run): void {
    this.metrics.observe(run);
    this.progressed(run);
    if (isFinal(run.state) || run.state === 'QUEUED') this.queueChanged(run.pool);
  }

  /** The firehose alone: rows and bytes have grown, the version has not. */
  progressed(run: Run): void {
    void this.bus.tell(runChanged, run.id, {
      runId: run.id,
      workspaceId: run.workspaceId,
      state: publicState(run.state),
      version: run.version,
      fence: run.fence,
      rows: run.rows,
      bytes: run.bytes,
      fraction: run.fraction,
      changedAt: run.changedAt,
      startedAt: run.startedAt,
      finishedAt: run.finishedAt,
      error: visibleError(run.state, run.error),
      attempts: run.attempts,
      wasLeft: run.wasLeft,
    });
  }

  left(change: ExecutionChanged): void {
    void this.bus.tell(executionChanged, change.runId, change);
  }

  queueChanged(pool: string): void {
    for (const listener of this.listeners) listener(pool);
  }
}
