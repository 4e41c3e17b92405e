import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { AttemptService } from '../run/attempt.service.js';
import { RunChanges } from '../run/run-changes.service.js';
import { waitedTooLongError, workerLostError } from '../run/run-errors.js';
import { RunRepository } from '../run/run.repository.js';
import type { Run } from '../run/run.types.js';
import { ReaperRepository } from './reaper.repository.js';
import { StopService } from './stop.service.js';

type Finding = 'unclaimed' | 'overdue' | 'timed_out' | 'expired' | 'stuck';

/**
 * Makes good what messages, jobs and processes have lost, from PostgreSQL alone. Every effect is fenced or harmless to
 * repeat, so any number of reapers may work at once.
 */
@Injectable()
export class ReaperService {
  private readonly found;

  constructor(
    private readonly repository: ReaperRepository,
    private readonly runs: RunRepository,
    private readonly attempts: AttemptService,
    private readonly stops: StopService,
    private readonly changes: RunChanges,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: OrchestratorConfig,
    metrics: MetricsRegistry,
  ) {
    this.found = metrics.counter<'finding'>({
      name: 'reaper_runs_total',
      help: 'Runs that were found left behind, by how.',
      labels: ['finding'],
    });
  }

  /** One look at everything. @param mayExpire whether this process may take a worker's silence for its death */
  async sweep(mayExpire: boolean): Promise<void> {
    await this.queueUnclaimed();
    await this.endOverdue();
    await this.stopTimedOut();
    await this.endStuck();
    if (mayExpire) await this.settleExpired();
  }

  private async queueUnclaimed(): Promise<void> {
    const { unclaimedMs } = this.config.queue;
    for (const runTry of await this.repository.findUnclaimed(unclaimedMs)) {
      const run = await this.repository.undispatch(runTry, unclaimedMs);
      if (!run) continue;
      this.count('unclaimed', run);
      this.changes.queueChanged(run.pool);
    }
  }

  private async endOverdue(): Promise<void> {
    for (const runTry of await this.repository.findOverdue()) {
      const run = await this.runs.finish(runTry, 'expireWaiting', { error: waitedTooLongError });
      if (!run) continue;
      this.count('overdue', run);
      this.changes.moved(run);
    }
  }

  private async stopTimedOut(): Promise<void> {
    for (const runTry of await this.repository.findTimedOut(this.config.lease.stopGraceMs)) {
      const run = await this.runs.stop(runTry, 'TIMED_OUT');
      if (!run) continue;
      this.count('timed_out', run);
      this.changes.moved(run);
      this.stops.start(run);
    }
  }

  private async endStuck(): Promise<void> {
    const stuck = await this.repository.takeStuck(this.config.lease.stopGraceMs);
    await this.forEach('stuck', stuck, (run) => this.stops.end(run));
  }

  private async settleExpired(): Promise<void> {
    const expired = await this.repository.takeExpired();
    await this.forEach('expired', expired, async (run) => {
      // A try that has already told why it failed is over by that, and not for want of its worker.
      const end = run.error
        ? ({ kind: 'failed', error: run.error } as const)
        : ({ kind: 'lost', error: workerLostError } as const);
      await this.attempts.settleRunning(run, end);
    });
  }

  /** Side by side, as each waits for other services; one that fails is found again. */
  private async forEach(finding: Finding, runs: readonly Run[], work: (run: Run) => Promise<unknown>): Promise<void> {
    await Promise.all(
      runs.map(async (run) => {
        this.count(finding, run);
        try {
          await work(run);
        } catch (err) {
          this.logger.warn({ err, runId: run.id, finding }, 'a run could not be settled yet');
        }
      }),
    );
  }

  private count(finding: Finding, run: Run): void {
    this.found.inc({ finding });
    this.logger.info({ runId: run.id, fence: run.fence, finding }, 'a run was found left behind');
  }
}
