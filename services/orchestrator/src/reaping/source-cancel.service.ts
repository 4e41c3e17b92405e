import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { SourceConnection } from '#libs/contracts';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import type { Run } from '../run/run.types.js';
import { MetadataClient } from '../source/metadata.client.js';
import { SnapshotRepository } from './snapshot.repository.js';
import { WorkerClient } from './worker.client.js';

const metadataShare = 0.4;

/**
 * Ends what a lost or stopped try has left running at its source. It is tried before a final state is told, but never
 * stands in its way: a source that cannot be reached ends the statement by the limit that was set with it.
 */
@Injectable()
export class SourceCancelService {
  private readonly outcomes;

  constructor(
    private readonly metadata: MetadataClient,
    private readonly snapshots: SnapshotRepository,
    private readonly workers: WorkerClient,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: OrchestratorConfig,
    metrics: MetricsRegistry,
  ) {
    this.outcomes = metrics.counter({
      name: 'source_cancels_total',
      help: 'Statements cancelled at their source by the stored handle.',
      labels: ['outcome'],
      known: ['canceled', 'gone', 'failed'],
    });
  }

  /** Never rejects, and takes no longer than its setting allows. */
  async cancel(run: Run): Promise<void> {
    if (!run.sourceHandle) return;
    const budgetMs = this.config.lease.cancelAtSourceMs;
    const begun = performance.now();
    try {
      const source = await this.findSource(run, budgetMs * metadataShare);
      if (!source) return;
      const leftMs = Math.max(1, Math.round(budgetMs - (performance.now() - begun)));
      const instance = await this.snapshots.findOtherWorker(run, this.config.lease.workerLiveSeconds);
      const statement = { source, handle: run.sourceHandle, instance };
      const isCanceled = await this.workers.cancelAtSource(run, statement, leftMs);
      this.outcomes.inc({ outcome: isCanceled ? 'canceled' : 'gone' });
    } catch (err) {
      this.outcomes.inc({ outcome: 'failed' });
      this.logger.warn({ err, runId: run.id, fence: run.fence }, 'a statement could not be cancelled at its source');
    }
  }

  // As it is now, since a password may have changed; as the run began, where metadata does not answer or has it no more.
  private async findSource(run: Run, ttlMs: number): Promise<SourceConnection | undefined> {
    const { sourceId, workspaceId, requestId } = run;
    const current = await this.metadata
      .findSource(sourceId, workspaceId, requestId, Math.max(1, Math.round(ttlMs)))
      .catch(() => undefined);
    return current ?? this.snapshots.find(run.id);
  }
}
