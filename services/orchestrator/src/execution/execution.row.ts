import type { CacheStatus, RunState } from '#libs/contracts';
import type { JsonObject } from '#libs/kernel';
import { defaultPool } from '../dispatch/pool.js';
import { visibleError } from '../run/run-errors.js';
import { toRunError, type ErrorColumns } from '../run/run.row.js';
import { priorityOfClass, type PriorityClass } from '../run/run.types.js';
import { publicState } from '../run/transitions.js';
import type { ExecutionView } from './execution.types.js';

/** As the settings for it are by default: this is an estimate. */
const workerLiveSeconds = 30;
const bindingHoldSeconds = 300;
const isServed = `orchestrator.is_served(r.pool, r.source_id, ${workerLiveSeconds}, ${bindingHoldSeconds})`;

/** The columns of an ExecutionView, of execution `e` joined with its run `r`. */
export const viewColumns = `e.id, e.workspace_id, e.run_id, r.fence, coalesce(e.own_state, r.state) as state,
  coalesce(e.own_version, r.version) as version, r.source_id, e.saved_query_id, e.parameters, r.sql, e.class, e.caller_id,
  e.submitted_at, (extract(epoch from e.submitted_at) * 1000000)::bigint as submitted_micros, case when e.own_state = 'SUCCEEDED' then null else r.started_at end as started_at,
  coalesce(e.own_finished_at, r.finished_at) as finished_at, r.rows, r.bytes, r.fraction,
  case when e.own_state is null then r.error_code end as error_code, r.error_message, r.error_retryable,
  r.error_retry_after_seconds, r.error_source_code, e.cache_status, case when e.own_state = 'SUCCEEDED' then 0 else r.attempts end as attempts, e.trace_id,
  e.cache_age_seconds, r.claimed_at + make_interval(secs => e.cache_ttl_seconds) as cache_expires_at,
  case
    when e.own_state is not null then null
    when r.state = 'DISPATCHED' then 1
    when r.state = 'QUEUED' then
      orchestrator.queue_place(r.pool, r.source_id, r.workspace_id, r.user_id, r.class, r.submitted_at, r.id)
  end as queue_position,
  case
    when e.own_state is not null then null
    -- Its turn has come.
    when r.state = 'DISPATCHED' then 0
    when r.state = 'QUEUED' and ${isServed} then
      (select orchestrator.seconds_per_place('${defaultPool}', ${workerLiveSeconds}))
  end as seconds_per_place`;

/** The columns of a Place, of a run `r` that waits. */
export const placeColumns = `case when r.state = 'DISPATCHED' then 1 else orchestrator.queue_place(r.pool, r.source_id,
    r.workspace_id, r.user_id, r.class, r.submitted_at, r.id) end as position,
  case when r.state = 'DISPATCHED' then 0 when ${isServed} then
    (select orchestrator.seconds_per_place('${defaultPool}', ${workerLiveSeconds})) end as seconds`;

/** Where a run waits. */
export interface Place {
  readonly queuePosition: number;
  readonly estimatedWaitSeconds: number | undefined;
}

export function toPlace({ position, seconds }: { position: string; seconds: number | null }): Place {
  const queuePosition = Number(position);
  return { queuePosition, estimatedWaitSeconds: seconds === null ? undefined : queuePosition * seconds };
}

export interface ViewRow extends ErrorColumns {
  id: string;
  workspace_id: string;
  run_id: string;
  fence: number;
  state: RunState;
  version: number;
  source_id: string;
  saved_query_id: string | null;
  parameters: JsonObject;
  sql: string;
  class: PriorityClass;
  caller_id: string;
  submitted_at: Date;
  submitted_micros: string;
  started_at: Date | null;
  finished_at: Date | null;
  rows: string;
  bytes: string;
  fraction: number | null;
  cache_status: CacheStatus;
  cache_age_seconds: number | null;
  cache_expires_at: Date | null;
  attempts: number;
  trace_id: string | null;
  queue_position: string | number | null;
  seconds_per_place: number | null;
}

export function toView(row: ViewRow): ExecutionView {
  const queuePosition = row.queue_position === null ? undefined : Number(row.queue_position);
  return {
    sql: row.sql,
    submittedMicros: Number(row.submitted_micros),
    execution: {
      id: row.id,
      workspaceId: row.workspace_id,
      runId: row.run_id,
      fence: row.fence,
      state: publicState(row.state),
      version: row.version,
      dataSourceId: row.source_id,
      savedQueryId: row.saved_query_id ?? undefined,
      parameters: row.parameters,
      priority: priorityOfClass[row.class],
      submittedById: row.caller_id,
      submittedAt: row.submitted_at,
      startedAt: row.started_at ?? undefined,
      finishedAt: row.finished_at ?? undefined,
      queuePosition,
      estimatedWaitSeconds:
        queuePosition === undefined || row.seconds_per_place === null
          ? undefined
          : queuePosition * row.seconds_per_place,
      rows: Number(row.rows),
      bytes: Number(row.bytes),
      fraction: row.fraction ?? undefined,
      error: visibleError(row.state, toRunError(row)),
      cacheStatus: row.cache_status,
      cacheAgeSeconds: row.cache_age_seconds ?? undefined,
      cacheExpiresAt: row.cache_expires_at ?? undefined,
      attempts: row.attempts,
      traceId: row.trace_id ?? undefined,
    },
  };
}
