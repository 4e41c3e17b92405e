import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { RunError } from '#libs/contracts';
import { AppLogger } from '#libs/telemetry';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { RunChanges } from '../run/run-changes.service.js';
import { RunRepository } from '../run/run.repository.js';
import type { Run } from '../run/run.types.js';
import { timedOutError } from '../run/run-errors.js';
import { ResultsClient } from './results.client.js';
import { SourceCancelService } from './source-cancel.service.js';
import { WorkerClient } from './worker.client.js';

/**
 * Brings a CANCELING run to its end: the worker is told directly and ends it by itself; where it does not answer, the
 * statement is cancelled at the source through any other worker, and the run ends without it.
 */
@Injectable()
export class StopService {
  private readonly work = new Set<Promise<void>>();

  constructor(
    private readonly runs: RunRepository,
    private readonly changes: RunChanges,
    private readonly workers: WorkerClient,
    private readonly sources: SourceCancelService,
    private readonly results: ResultsClient,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: OrchestratorConfig,
  ) {}

  /** In the background; if this process dies meanwhile, a reaper finds the run. */
  start(run: Run): void {
    const work = this.stop(run)
      .catch((err: unknown) => this.logger.warn({ err, runId: run.id }, 'a run could not be stopped yet'))
      .finally(() => this.work.delete(work));
    this.work.add(work);
  }

  /** Resolves when everything begun here is done. */
  async settle(): Promise<void> {
    await Promise.all(this.work);
  }

  /** Ends a CANCELING run without its worker. */
  async end(run: Run): Promise<void> {
    await this.sources.cancel(run);
    // So that no row is added behind the final state. Where results is away, its own handling of RunFinished does it.
    const fenced = await this.results.fence(run).catch(() => undefined);
    const hasTimedOut = run.cancelReason === 'TIMED_OUT';
    const error: RunError | undefined = hasTimedOut ? timedOutError(run.timeoutMs) : undefined;
    const ended = await this.runs.finish(run, hasTimedOut ? 'endTimedOut' : 'endCanceled', {
      ...(fenced && fenced.pagesCommitted > 0 ? { rows: fenced.rowCount, bytes: fenced.byteCount } : {}),
      ...(error ? { error } : {}),
    });
    if (ended) this.changes.moved(ended);
  }

  private async stop(run: Run): Promise<void> {
    if (!(await this.workers.stop(run, this.config.lease.stopRequestMs))) await this.end(run);
  }
}
