import type DataLoader from 'dataloader';
import type { Execution, Manifest, RunState } from '#libs/contracts';
import { siblingId } from '#libs/kernel';

/** One execution's view of its run's rows. Two executions of one run share pages, never ids or cursors. */
export interface ResultView {
  readonly id: string;
  readonly execution: Execution;
  readonly manifest: Manifest;
}

export type ResultState = 'WRITING' | 'COMPLETE' | 'PARTIAL' | 'EXPIRED';

/** The result of an execution, or null until there are columns. */
export async function resultOf(
  execution: Execution,
  manifests: DataLoader<string, Manifest | null>,
): Promise<ResultView | null> {
  const { runId, state } = execution;
  let manifest = await manifests.load(runId);
  // The same operation may have looked for it before the run's end.
  if (!manifest && state === 'SUCCEEDED') manifest = await manifests.clear(runId).load(runId);
  return manifest ? toResultView(execution, manifest) : viewOfForgotten(execution);
}

export function toResultView(execution: Execution, manifest: Manifest): ResultView | null {
  // A try that failed before its first row leaves a manifest without columns.
  if (manifest.columns.length === 0 && manifest.state !== 'COMPLETE') return null;
  return { id: resultIdOf(execution), execution, manifest };
}

/**
 * What is left of the result of a run that nobody remembers: its record goes some months behind its rows, while the history of executions
 * may be kept for years. A run succeeds behind the sealing of its result, so whoever has no record of it has it no longer.
 */
export function forgottenOf({ state, runId, workspaceId, fence, rows, bytes }: Execution): Manifest | undefined {
  if (state !== 'SUCCEEDED') return undefined;
  return {
    runId,
    workspaceId,
    fence,
    state: 'EXPIRED',
    columns: [],
    rowCount: rows,
    byteCount: bytes,
    truncated: false,
  };
}

function viewOfForgotten(execution: Execution): ResultView | null {
  const manifest = forgottenOf(execution);
  return manifest ? { id: resultIdOf(execution), execution, manifest } : null;
}

export function resultIdOf(execution: Execution): string {
  return siblingId('result', execution.id);
}

const finalStates: ReadonlySet<RunState> = new Set(['SUCCEEDED', 'FAILED', 'CANCELED', 'TIMED_OUT']);

export function isFinal(state: RunState): boolean {
  return finalStates.has(state);
}

/** The state follows the execution: one that was canceled has a partial result, whatever its run still does for others. */
export function resultStateOf(execution: Execution, manifest: Manifest): ResultState {
  if (manifest.state === 'EXPIRED') return 'EXPIRED';
  if (!isFinal(execution.state)) return 'WRITING';
  return execution.state === 'SUCCEEDED' ? 'COMPLETE' : 'PARTIAL';
}
