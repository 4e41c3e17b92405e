import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { inTransaction } from '#libs/database';

const batchMax = 500;
const idempotencyHours = 24;
const idleDays = 7;

/** Deletes what is too old, in batches small enough to disturb nobody. Each tells how many rows went. */
@Injectable()
export class HistoryRepository {
  readonly batchMax = batchMax;

  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /** Finished runs with their executions; up to where the finished order is gone is remembered with it. */
  async purgeRuns(keepDays: number): Promise<number> {
    return inTransaction(this.dataSource, async (manager) => {
      const [row]: { count: string }[] = await manager.query(
        `with gone as (
           delete from orchestrator.run where id in (
             select id from orchestrator.run where finished_at < now() - make_interval(days => $1)
             order by finished_at limit ${batchMax} for update skip locked)
           returning finished_xid, finished_seq
         ), last as (
           select finished_xid, finished_seq from gone order by finished_xid desc, finished_seq desc limit 1
         ), remembered as (
           insert into orchestrator.finished_horizon as h (xid, seq) select finished_xid, finished_seq from last
           on conflict (only_one) do update set xid = excluded.xid, seq = excluded.seq
           where (h.xid, h.seq) < (excluded.xid, excluded.seq)
         )
         select count(*) as count from gone`,
        [keepDays],
      );
      return Number(row?.count ?? 0);
    });
  }

  /** Keys that may be used again. */
  async purgeIdempotencyKeys(): Promise<number> {
    const rows: unknown[] = await this.dataSource.query(
      `with gone as (
         update orchestrator.execution set idempotency_key = null, input_hash = null where id in (
           select id from orchestrator.execution
           where idempotency_key is not null and submitted_at < now() - interval '${idempotencyHours} hours'
           order by submitted_at limit ${batchMax} for update skip locked)
         returning 1)
       select 1 from gone`,
    );
    return rows.length;
  }

  /** Lanes without a backlog, workers long gone, and what was spent before today. */
  async purgeIdle(): Promise<number> {
    const rows: unknown[] = await this.dataSource.query(
      `with lanes as (
         delete from orchestrator.lane where (pool, source_id, workspace_id, user_id, class) in (
           select pool, source_id, workspace_id, user_id, class from orchestrator.lane
           where not waits and served_at < now() - interval '${idleDays} days'
           limit ${batchMax} for update skip locked)
         returning 1
       ), spent as (
         delete from orchestrator.spent where day < (now() at time zone 'UTC')::date - 1 returning 1
       ), workers as (
         delete from orchestrator.worker where heartbeat_at < now() - interval '${idleDays} days' returning 1
       )
       select 1 from lanes union all select 1 from spent union all select 1 from workers`,
    );
    return rows.length;
  }
}
