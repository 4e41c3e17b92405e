import type { RunError, RunState } from '#libs/contracts';

/** What callers are told: what an earlier try failed with is no error of the execution. */
export function visibleError(state: RunState, error: RunError | undefined): RunError | undefined {
  return state === 'FAILED' || state === 'TIMED_OUT' ? error : undefined;
}

export function timedOutError(timeoutMs: number): RunError {
  return {
    code: 'run.timed_out',
    message: `The query took longer than its limit of ${timeoutMs / 1_000} s.`,
    retryable: true,
  };
}

export const waitedTooLongError: RunError = {
  code: 'run.timed_out',
  message: 'The query waited too long for a free slot.',
  retryable: true,
};

export const unservedError: RunError = {
  code: 'source.unavailable',
  message: 'No worker that serves the data source is running.',
  retryable: true,
};

export const workerLostError: RunError = {
  code: 'run.worker_lost',
  message: 'The process that ran the query was lost.',
  retryable: true,
};

export const sourceDeletedError: RunError = {
  code: 'source.not_found',
  message: 'The data source was deleted before the query began.',
  retryable: false,
};
