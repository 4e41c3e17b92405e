import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { AttemptService } from '../run/attempt.service.js';
import { RunChanges } from '../run/run-changes.service.js';
import { sourceDeletedError, unservedError, waitedTooLongError, workerLostError } from '../run/run-errors.js';
import { RunRepository } from '../run/run.repository.js';
import type { Run } from '../run/run.types.js';
import { ReaperRepository } from './reaper.repository.js';
import { StopService } from './stop.service.js';

const findings = ['unclaimed', 'overdue', 'unserved', 'sourceless', 'timed_out', 'expired', 'stuck'] as const;
type Finding = (typeof findings)[number];

/** So that a large loss is worked off in even steps. */
const underWayMax = 50;

/**
 * Makes good what messages, jobs and processes have lost, from PostgreSQL alone. Every effect is fenced or harmless to
 * repeat, so any number of reapers may work at once.
 */
@Injectable()
export class ReaperService {
  private readonly found;
  private readonly underWay = new Set<Promise<void>>();
  private lookedAtMs = performance.now();

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
      known: findings,
    });
    metrics.gauge({ name: 'reaper_look_age_seconds', help: 'Since this process last looked at everything.' }, (gauge) =>
      gauge.set((performance.now() - this.lookedAtMs) / 1_000),
    );
  }

  /** One look at everything; what takes longer goes on behind it. @param mayExpire whether this process may take a worker's silence for its death */
  async sweep(mayExpire: boolean): Promise<void> {
    await this.queueUnclaimed();
    await this.endOverdue();
    await this.endSourceless();
    await this.stopTimedOut();
    await this.endStuck();
    if (mayExpire) {
      await this.endUnserved();
      await this.settleExpired();
    }
    this.lookedAtMs = performance.now();
  }

  /** Resolves when every run that was found is settled, or left to the next look. */
  async settle(): Promise<void> {
    await Promise.all(this.underWay);
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

  private async endUnserved(): Promise<void> {
    for (const runTry of await this.repository.findUnserved(this.config)) {
      const run = await this.runs.finish(runTry, 'failWaiting', { error: unservedError });
      if (!run) continue;
      this.count('unserved', run);
      this.changes.moved(run);
    }
  }

  private async endSourceless(): Promise<void> {
    for (const runTry of await this.repository.findSourceless()) {
      const run = await this.runs.finish(runTry, 'failWaiting', { error: sourceDeletedError });
      if (!run) continue;
      this.count('sourceless', run);
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
    const stuck = await this.repository.takeStuck(this.config.lease.stopGraceMs, this.roomLeft());
    for (const run of stuck) this.settleLater('stuck', run, this.stops.end(run));
  }

  private async settleExpired(): Promise<void> {
    const expired = await this.repository.takeExpired(this.roomLeft());
    for (const run of expired) {
      // A try that has already told why it failed is over by that, and not for want of its worker.
      const end = run.error
        ? ({ kind: 'failed', error: run.error } as const)
        : ({ kind: 'lost', error: workerLostError } as const);
      this.settleLater('expired', run, this.attempts.settleRunning(run, end));
    }
  }

  /** In the background, as it waits for other services, and the next look must not wait with it. What fails is found again. */
  private settleLater(finding: Finding, run: Run, settling: Promise<unknown>): void {
    this.count(finding, run);
    const work = settling
      .catch((err: unknown) => this.logger.warn({ err, runId: run.id, finding }, 'a run could not be settled yet'))
      .then(() => void this.underWay.delete(work));
    this.underWay.add(work);
  }

  private roomLeft(): number {
    return Math.max(0, underWayMax - this.underWay.size);
  }

  private count(finding: Finding, run: Run): void {
    this.found.inc({ finding });
    this.logger.info({ runId: run.id, fence: run.fence, finding }, 'a run was found left behind');
  }
}
