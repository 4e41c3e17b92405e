import { toAppError, type AppError } from '#libs/kernel';
import type { HeldRun, StopReason } from './held-run.js';
import type { RunOutcome } from './run.client.js';

/** A statement that ended by its own limit is told from one that somebody stopped at the source by the time it took. */
const timeoutSlackMs = 250;

export interface Ending {
  readonly outcome: RunOutcome;
  /** For the log; undefined where nothing went wrong. */
  readonly error?: AppError;
}

/** How a run that has not succeeded is told to the orchestrator; undefined where it is no longer this worker's to tell. */
export function endingOf(run: HeldRun, error: unknown, leftMs: number): Ending | undefined {
  if (run.stopReason !== undefined) return endingOfStop(run, run.stopReason);
  const failure = toAppError(error);
  if (failure.code === 'run.timed_out') return endingOfTimeout(failure, leftMs);
  return { outcome: failedWith(failure), error: failure };
}

function endingOfStop(run: HeldRun, reason: StopReason): Ending | undefined {
  switch (reason) {
    case 'canceled':
      return { outcome: { case: 'stopped', value: { timedOut: false } } };
    case 'timedOut':
      return { outcome: { case: 'stopped', value: { timedOut: true } } };
    case 'draining':
      return run.pagesCommitted === 0 ? { outcome: { case: 'released', value: {} } } : { outcome: interrupted };
    case 'lost':
      return undefined;
  }
}

/** Rows that could be read never change, so the run cannot be tried again. */
const interrupted: RunOutcome = {
  case: 'failed',
  value: {
    error: { code: 'run.worker_lost', message: 'The worker was stopped before the result was whole.', retryable: true },
    transient: false,
  },
};

function endingOfTimeout(failure: AppError, leftMs: number): Ending {
  if (leftMs <= timeoutSlackMs) return { outcome: { case: 'stopped', value: { timedOut: true } } };
  const sourceCode = sourceCodeOf(failure);
  return {
    outcome: {
      case: 'failed',
      value: {
        error: {
          code: 'run.query_failed',
          message: failure.publicMessage,
          retryable: true,
          ...(sourceCode === undefined ? {} : { sourceCode }),
        },
        transient: false,
      },
    },
    error: failure,
  };
}

function failedWith(failure: AppError): RunOutcome {
  const { code, publicMessage, retryable, retryAfterSeconds } = failure;
  const sourceCode = sourceCodeOf(failure);
  return {
    case: 'failed',
    value: {
      error: {
        code,
        message: publicMessage,
        retryable,
        ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
        ...(sourceCode === undefined ? {} : { sourceCode }),
      },
      transient: retryable,
    },
  };
}

function sourceCodeOf({ details }: AppError): string | undefined {
  const code = details?.['sourceCode'];
  return typeof code === 'string' ? code : undefined;
}
