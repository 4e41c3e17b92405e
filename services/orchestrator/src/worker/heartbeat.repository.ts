import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import type { RequestOf, runRequests } from '#libs/contracts';
import { runColumns, toRun, type RunRow } from '../run/run.row.js';
import type { Run, RunTry } from '../run/run.types.js';

type Heartbeat = RequestOf<typeof runRequests.heartbeat>;

export interface Beat {
  /** Runs that the worker still holds and that go on. */
  readonly held: readonly { readonly run: Run; readonly hasProgressed: boolean }[];
  readonly stopped: readonly RunTry[];
  /** The pool may have more room than before. */
  readonly hasMoreSlots: boolean;
}

@Injectable()
export class HeartbeatRepository {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /** The worker's row, its leases and its progress: one statement, one commit. Leases that others took stay theirs. */
  async beat(
    { workerId, pool, slots, runs, queue, sourceIds, sourceTypes }: Heartbeat,
    leaseSeconds: number,
  ): Promise<Beat> {
    const rows: (RunRow & { has_progressed: boolean; has_more_slots: boolean })[] = await this.dataSource.query(
      `with worker_before as (
         select slots from orchestrator.worker where id = $1 and heartbeat_at > now() - make_interval(secs => $4)
       ), worker_now as (
         insert into orchestrator.worker as w (id, pool, slots, heartbeat_at, draining, queue, source_ids, source_types)
         values ($1, $2, $3, now(), $3 = 0, $10, $11, $12)
         on conflict (id) do update set pool = excluded.pool, slots = excluded.slots,
           heartbeat_at = excluded.heartbeat_at, draining = excluded.draining, queue = excluded.queue,
           source_ids = excluded.source_ids, source_types = excluded.source_types
       ), told as (
         select * from unnest($5::text[], $6::integer[], $7::bigint[], $8::bigint[], $9::double precision[])
           as t (run_id, run_fence, run_rows, run_bytes, run_fraction)
       ), r as (
         update orchestrator.run u set
           lease_until = now() + make_interval(secs => $4),
           rows = greatest(u.rows, t.run_rows), bytes = greatest(u.bytes, t.run_bytes),
           fraction = coalesce(t.run_fraction, u.fraction)
         from told t join orchestrator.run b on b.id = t.run_id
         where u.id = t.run_id and u.fence = t.run_fence and u.worker_id = $1 and u.state in ('RUNNING', 'CANCELING')
         returning u.*, (b.rows, b.bytes, b.fraction) is distinct from (u.rows, u.bytes, u.fraction) as has_progressed
       ), slots as (
         select $3 > coalesce((select slots from worker_before), 0) as has_more_slots
       )
       select ${runColumns}, r.has_progressed, slots.has_more_slots from slots left join r on true`,
      [
        ...[workerId, pool, slots, leaseSeconds],
        runs.map((run) => run.runId),
        runs.map((run) => run.fence),
        runs.map((run) => run.rows),
        runs.map((run) => run.bytes),
        runs.map((run) => run.fraction ?? null),
        ...[queue, sourceIds, sourceTypes],
      ],
    );
    const found = rows.filter(({ id }) => isFound(id));
    const held = found
      .filter(({ state }) => state === 'RUNNING')
      .map((row) => ({ run: toRun(row), hasProgressed: row.has_progressed }));
    const goesOn = new Set(held.map(({ run }) => run.id));
    return {
      held,
      stopped: runs.filter((run) => !goesOn.has(run.runId)).map((run) => ({ id: run.runId, fence: run.fence })),
      hasMoreSlots: rows[0]?.has_more_slots ?? false,
    };
  }
}

// Without any run the left join gives one row of nulls.
function isFound(id: string | null): boolean {
  return id !== null;
}
