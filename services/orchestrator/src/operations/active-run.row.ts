import type { ActiveRun, RunState } from '#libs/contracts';
import { publicState } from '../run/transitions.js';

/** The columns of an ActiveRun, of a run `r`. Who asked is who asks still: the first that has not left. */
export const activeRunColumns = `r.source_id, r.state, r.started_at, r.rows, r.worker_id,
  extract(epoch from coalesce(r.finished_at, now()) - r.started_at)::double precision as seconds,
  (select e.id from orchestrator.execution e where e.run_id = r.id
   order by e.own_state is not null, e.submitted_at, e.id limit 1) as execution_id,
  r.user_id`;

export interface ActiveRunRow {
  source_id: string;
  state: RunState;
  started_at: Date;
  rows: string;
  worker_id: string | null;
  seconds: number;
  execution_id: string | null;
  user_id: string;
}

export function toActiveRun(row: ActiveRunRow): ActiveRun {
  return {
    // Empty once the history of its executions is gone.
    executionId: row.execution_id ?? '',
    dataSourceId: row.source_id,
    submittedById: row.user_id,
    state: publicState(row.state),
    startedAt: row.started_at,
    seconds: row.seconds,
    rows: Number(row.rows),
    workerId: row.worker_id ?? undefined,
  };
}
