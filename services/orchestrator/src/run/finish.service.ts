import { Injectable } from '@nestjs/common';
import type { RequestOf, ResponseOf, RunError, runRequests } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { AttemptService } from './attempt.service.js';
import { RunChanges } from './run-changes.service.js';
import { timedOutError, workerLostError } from './run-errors.js';
import { RunRepository, type RunEnd } from './run.repository.js';
import type { EndedTry, Run, RunTry } from './run.types.js';
import { isFinal, publicState, type FinishName } from './transitions.js';

type Finish = RequestOf<typeof runRequests.finishRun>;
type Answer = ResponseOf<typeof runRequests.finishRun>;
type Outcome = Finish['outcome'];

/** A run can move under us this often before we give the question back to the worker. */
const triesMax = 5;

/** What a worker says of the end of its try. A stale worker's word touches no row. */
@Injectable()
export class FinishService {
  constructor(
    private readonly runs: RunRepository,
    private readonly attempts: AttemptService,
    private readonly changes: RunChanges,
    private readonly logger: AppLogger,
  ) {}

  async finish({ runId, fence, outcome }: Finish, context: Omit<EndedTry, keyof RunTry>): Promise<Answer> {
    const runTry = { id: runId, fence, ...context };
    if (outcome.case === 'succeeded') {
      // By far the most common end, without a look at the row before.
      const run = await this.move(runTry, 'succeed', outcome.value);
      if (run) return { accepted: true, state: run.state };
    }
    for (let attempt = 0; attempt < triesMax; attempt += 1) {
      const run = await this.runs.find(runId);
      if (!run) throw new AppError('run.not_found', 'There is no such run.');
      if (run.fence !== fence || run.state === 'QUEUED') return { accepted: false, state: publicState(run.state) };
      if (isFinal(run.state)) return { accepted: isEndOf(outcome, run), state: run.state };
      const moved = await this.settle(run, outcome);
      if (moved) return { accepted: true, state: publicState(moved.state) };
    }
    throw new AppError('entity.conflict', 'The run has changed meanwhile.', { retryable: true });
  }

  private async settle(run: Run, outcome: Outcome): Promise<Run | undefined> {
    if (run.state === 'CANCELING') return this.endStopped(run, outcome);
    switch (outcome.case) {
      case 'succeeded':
        // A run that was never claimed has no rows to have succeeded with.
        return run.state === 'RUNNING' ? this.move(run, 'succeed', outcome.value) : this.failed(run, workerLostError);
      case 'failed': {
        const error = outcome.value.error ?? workerLostError;
        return outcome.value.transient ? this.failed(run, error) : this.move(run, 'fail', { error });
      }
      case 'stopped':
        // Told to stop by nobody: it is as good as lost, but its statement is over.
        if (!outcome.value.timedOut) return this.failed(run, workerLostError);
        return this.move(run, 'expire', { error: timedOutError(run.timeoutMs) });
      case 'released':
        return this.settleAttempt(run, { kind: 'released' });
      default:
        throw new AppError('input.invalid', 'An outcome is needed.');
    }
  }

  /** Whatever the worker has come to: a CANCELING run ends as it was to be stopped, never as SUCCEEDED. */
  private async endStopped(run: Run, outcome: Outcome): Promise<Run | undefined> {
    const progress = outcome.case === 'succeeded' ? outcome.value : {};
    return run.cancelReason === 'TIMED_OUT'
      ? this.move(run, 'endTimedOut', { ...progress, error: timedOutError(run.timeoutMs) })
      : this.move(run, 'endCanceled', progress);
  }

  private failed(run: Run, error: RunError): Promise<Run | undefined> {
    return this.settleAttempt(run, { kind: 'failed', error });
  }

  private async settleAttempt(
    run: Run,
    end: { kind: 'failed'; error: RunError } | { kind: 'released' },
  ): Promise<Run | undefined> {
    if (run.state === 'DISPATCHED') return this.attempts.settleDispatched(run, end);
    try {
      return await this.attempts.settleRunning(run, end);
    } catch (err) {
      this.logger.warn({ err, runId: run.id }, 'results did not answer; a reaper decides on the run');
      await this.runs.giveUpLease(run, end.kind === 'failed' ? end.error : workerLostError);
      return run;
    }
  }

  private async move(runTry: EndedTry, name: FinishName, end: RunEnd): Promise<Run | undefined> {
    const run = await this.runs.finish(runTry, name, end);
    if (run) this.changes.moved(run);
    return run;
  }
}

/** True where this very end was taken before and only its answer was lost. */
function isEndOf(outcome: Outcome, run: Run): boolean {
  switch (outcome.case) {
    case 'succeeded':
      return run.state === 'SUCCEEDED';
    case 'failed':
      return run.state === 'FAILED';
    case 'stopped':
      return run.state === 'CANCELED' || run.state === 'TIMED_OUT';
    default:
      return false;
  }
}
