import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { RunError } from '#libs/contracts';
import { backoffMs } from '#libs/kernel';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { ResultsClient } from '../reaping/results.client.js';
import { SourceCancelService } from '../reaping/source-cancel.service.js';
import { RunChanges } from './run-changes.service.js';
import { workerLostError } from './run-errors.js';
import { RunRepository } from './run.repository.js';
import type { PriorityClass, Run } from './run.types.js';

const retryMaxMs = 30_000;

/** Why a try is over without its outcome. */
export type AttemptEnd =
  | { readonly kind: 'lost'; readonly error: RunError }
  | { readonly kind: 'failed'; readonly error: RunError }
  | { readonly kind: 'released' };

/**
 * Decides what becomes of a run whose try has ended without an outcome. Rows that could be read never change, so a run
 * is tried again only while not one page of it was committed, and `results` says so having shut the try out first.
 */
@Injectable()
export class AttemptService {
  constructor(
    private readonly runs: RunRepository,
    private readonly results: ResultsClient,
    private readonly sources: SourceCancelService,
    private readonly changes: RunChanges,
    @InjectConfig() private readonly config: OrchestratorConfig,
  ) {}

  /**
   * Settles a RUNNING run. Rejects where `results` does not answer: then nothing is decided.
   * @returns the run as it is now, or undefined where another has been quicker
   */
  async settleRunning(run: Run, end: AttemptEnd): Promise<Run | undefined> {
    const fenced = await this.results.fence(run);
    if (fenced.sealed) return this.told(await this.runs.finish(run, 'succeed', rowsOf(fenced)));
    // A worker that speaks for itself has ended its statement; one that is lost may have left it running.
    if (end.kind === 'lost') await this.sources.cancel(run);
    if (fenced.pagesCommitted > 0) {
      return this.told(await this.runs.finish(run, 'fail', { ...rowsOf(fenced), error: finalError(end) }));
    }
    if (end.kind === 'released')
      return this.told(await this.runs.release(run, 'release', this.queueWaitSeconds(run.class)));
    if (run.attempts >= run.attemptsMax) return this.told(await this.runs.finish(run, 'fail', { error: end.error }));
    return this.told(await this.runs.retry(run, 'retryRunning', this.retryPlan(run, run.attempts, end.error)));
  }

  /** Settles a DISPATCHED run that its worker gave back: without a claim there can be no page. */
  async settleDispatched(run: Run, end: Exclude<AttemptEnd, { kind: 'lost' }>): Promise<Run | undefined> {
    if (end.kind === 'released') {
      return this.told(await this.runs.release(run, 'undispatch', this.queueWaitSeconds(run.class)));
    }
    const attempts = run.attempts + 1;
    if (attempts >= run.attemptsMax) return this.told(await this.runs.finish(run, 'fail', { error: end.error }));
    return this.told(await this.runs.retry(run, 'retryDispatched', this.retryPlan(run, attempts, end.error)));
  }

  private retryPlan(run: Run, attempts: number, error: RunError) {
    const delayMs = backoffMs(attempts - 1, { initialMs: this.config.lease.retryInitialMs, maxMs: retryMaxMs });
    return { delayMs: Math.round(delayMs), queueWaitSeconds: this.queueWaitSeconds(run.class), error };
  }

  private queueWaitSeconds(of: PriorityClass): number {
    return of === 3 ? this.config.queue.waitScheduledMaxSeconds : this.config.queue.waitMaxSeconds;
  }

  private told(run: Run | undefined): Run | undefined {
    if (run) this.changes.moved(run);
    return run;
  }
}

function rowsOf({ rowCount, byteCount }: { rowCount: number; byteCount: number }): { rows: number; bytes: number } {
  return { rows: rowCount, bytes: byteCount };
}

function finalError(end: AttemptEnd): RunError {
  return end.kind === 'released' ? workerLostError : end.error;
}
