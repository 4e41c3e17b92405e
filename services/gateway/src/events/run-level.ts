import type { Execution, RunChanged } from '#libs/contracts';
import { isFinal } from '../results/result-view.js';

/** What the firehose says of a run: a level, of which only the latest counts. */
export type RunLevel = Omit<RunChanged, 'runId' | 'workspaceId'>;

/**
 * The execution as the level has it, without asking for it again. Undefined where only a read can tell: what waits has a
 * place in the queue, whoever has left a run has a state of their own, an older release does not tell all, and not everyone
 * may read what a source says of a failure.
 */
export function executionAt(execution: Execution, level: RunLevel | undefined): Execution | undefined {
  // Answered by a kept result: what its run has been through is another's.
  if (isFinal(execution.state)) return execution;
  if (!level || level.wasLeft !== false || level.state === 'QUEUED') return undefined;
  if (level.version <= execution.version) return execution;
  if (level.error) return undefined;
  const { state, version, fence, startedAt, finishedAt, attempts, rows, bytes, fraction } = level;
  return {
    ...execution,
    ...{ state, version, fence, startedAt, finishedAt, attempts, rows, bytes, fraction },
    queuePosition: undefined,
    estimatedWaitSeconds: undefined,
  };
}
