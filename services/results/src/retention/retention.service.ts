import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { ResultStore, type StoredRun } from '#libs/result-store';
import { AppLogger } from '#libs/telemetry';
import type { ResultsConfig } from '../results.config.js';
import { RetentionMetrics } from './retention.metrics.js';
import { answeringSeconds, keptSeconds } from './kept-seconds.js';
import { MetadataClient } from './metadata.client.js';
import { RetentionRepository, type PurgedRun } from './retention.repository.js';

/** Results go in batches of this many, so that no statement and no pause is long. */
const batchSize = 200;
/** What is younger may belong to a page that is being committed at this moment. */
const orphanAgeMs = 24 * 60 * 60 * 1_000;

/** Lets go of what is over: rows and files of expired results, and files that nobody knows of. */
@Injectable()
export class RetentionService {
  constructor(
    private readonly repository: RetentionRepository,
    private readonly store: ResultStore,
    private readonly metadata: MetadataClient,
    private readonly metrics: RetentionMetrics,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: ResultsConfig,
  ) {}

  /** Takes every result whose time is over. Safe in any number of processes at once. */
  async expire(signal: AbortSignal): Promise<number> {
    const { graceSeconds, writingMaxSeconds, recordDays } = this.config.retention;
    const forgotten = await this.repository.closeForgotten(writingMaxSeconds, keptSeconds(this.config.retention));
    if (forgotten > 0) this.logger.warn({ forgotten }, 'results were still open long after their runs can have ended');
    let total = 0;
    for (let taken = batchSize; taken === batchSize && !signal.aborted; total += taken) {
      const purged = await this.repository.purge(batchSize, graceSeconds);
      for (const { reason } of purged) if (reason) this.metrics.expired(reason);
      await this.deleteFiles(purged);
      taken = purged.length;
    }
    while (!signal.aborted && (await this.repository.forget(batchSize, recordDays)) === batchSize);
    return total;
  }

  /** Ends the time of what workspaces do not keep by their own limits. What that is goes with the next expiry. */
  async holdToLimits(): Promise<number> {
    const { retention } = this.config;
    const bytesMax = retention.workspaceBytesMax === 0 ? undefined : retention.workspaceBytesMax;
    const limits = { bytesMax, own: await this.metadata.listResultLimits() };
    if (bytesMax === undefined && limits.own.length === 0) return 0;
    return this.repository.endBeyondLimits(limits, answeringSeconds(retention));
  }

  measureKeptBytes(): Promise<void> {
    return this.repository.measureKeptBytes();
  }

  /** Deletes files that no manifest names. What a broken off expiry or a lost worker left behind goes here. */
  async sweepOrphans(nowMs: number, signal: AbortSignal): Promise<number> {
    let total = 0;
    let batch: StoredRun[] = [];
    for await (const run of this.store.listRuns()) {
      if (signal.aborted) break;
      if (nowMs - run.changedAt.getTime() < orphanAgeMs) continue;
      batch.push(run);
      if (batch.length < batchSize) continue;
      total += await this.sweepBatch(batch);
      batch = [];
    }
    total += await this.sweepBatch(batch);
    this.metrics.orphansDeleted(total);
    return total;
  }

  private async sweepBatch(runs: readonly StoredRun[]): Promise<number> {
    const kept = await this.repository.runsWithPages(runs.map(({ runId }) => runId));
    const fences = new Map(kept.map(({ runId, fence }) => [runId, fence]));
    for (const run of runs) await this.whileStoreAllows(this.store.keepOnlyFence(run, fences.get(run.runId)), run);
    return runs.filter(({ runId }) => !fences.has(runId)).length;
  }

  private async deleteFiles(purged: readonly PurgedRun[]): Promise<void> {
    for (const run of purged.filter(({ hadPages }) => hadPages))
      await this.whileStoreAllows(this.store.deleteRun(run), run);
  }

  /** Files that cannot be deleted now are orphans from here on, and found again as such. */
  private async whileStoreAllows(deletion: Promise<void>, { runId }: { readonly runId: string }): Promise<void> {
    await deletion.catch((err: unknown) => this.logger.warn({ err, runId }, 'pages could not be deleted yet'));
  }
}
