import type { RunError, RunState, SourceHandle } from '#libs/contracts';
import type { CancelReason, PriorityClass, Run } from './run.types.js';

/** The columns of a Run, of the table or CTE `r`. */
export const runColumns = `r.id, r.fence, r.workspace_id, r.state, r.version, r.attempts, r.attempts_max, r.class,
  r.pool, r.source_id, r.request_id, r.keep, r.was_left, r.worker_id, r.source_handle, r.cancel_reason, r.rows, r.bytes, r.fraction,
  r.error_code, r.error_message, r.error_retryable, r.error_retry_after_seconds, r.error_source_code, r.timeout_ms,
  extract(epoch from r.deadline - clock_timestamp()) * 1000 as remaining_ms,
  extract(epoch from coalesce(r.finished_at, now()) - r.submitted_at) as age_seconds,
  extract(epoch from r.claimed_at - r.queued_at) as waited_seconds,
  r.started_at, r.finished_at, now() as changed_at`;

/** The columns of an EndedTry. */
export const endedTryColumns = 'id, fence, workspace_id as "workspaceId", request_id as "requestId"';

/** As node-postgres gives it: bigint and numeric as text. */
export interface RunRow extends ErrorColumns {
  id: string;
  fence: number;
  workspace_id: string;
  state: RunState;
  version: number;
  attempts: number;
  attempts_max: number;
  class: PriorityClass;
  pool: string;
  source_id: string;
  request_id: string;
  keep: boolean;
  was_left: boolean;
  worker_id: string | null;
  source_handle: SourceHandle['values'] | null;
  cancel_reason: CancelReason | null;
  rows: string;
  bytes: string;
  fraction: number | null;
  timeout_ms: number;
  remaining_ms: string | null;
  age_seconds: string;
  waited_seconds: string | null;
  started_at: Date | null;
  finished_at: Date | null;
  changed_at: Date;
}

export interface ErrorColumns {
  error_code: string | null;
  error_message: string | null;
  error_retryable: boolean | null;
  error_retry_after_seconds: number | null;
  error_source_code: string | null;
}

export function toRun(row: RunRow): Run {
  return {
    id: row.id,
    fence: row.fence,
    workspaceId: row.workspace_id,
    state: row.state,
    version: row.version,
    attempts: row.attempts,
    attemptsMax: row.attempts_max,
    class: row.class,
    pool: row.pool,
    sourceId: row.source_id,
    requestId: row.request_id,
    keep: row.keep,
    wasLeft: row.was_left,
    workerId: row.worker_id ?? undefined,
    sourceHandle: row.source_handle ? { values: row.source_handle } : undefined,
    cancelReason: row.cancel_reason ?? undefined,
    rows: Number(row.rows),
    bytes: Number(row.bytes),
    fraction: row.fraction ?? undefined,
    error: toRunError(row),
    timeoutMs: row.timeout_ms,
    remainingMs: row.remaining_ms === null ? undefined : Math.max(1, Math.round(Number(row.remaining_ms))),
    ageSeconds: Number(row.age_seconds),
    waitedSeconds: row.waited_seconds === null ? undefined : Number(row.waited_seconds),
    startedAt: row.started_at ?? undefined,
    finishedAt: row.finished_at ?? undefined,
    changedAt: row.changed_at,
  };
}

export function toRunError(row: ErrorColumns): RunError | undefined {
  if (row.error_code === null) return undefined;
  return {
    code: row.error_code,
    message: row.error_message ?? '',
    retryable: row.error_retryable ?? false,
    retryAfterSeconds: row.error_retry_after_seconds ?? undefined,
    sourceCode: row.error_source_code ?? undefined,
  };
}
