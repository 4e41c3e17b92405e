import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { inTransaction } from '#libs/database';

const batchMax = 500;
const idempotencyHours = 24;
const idleDays = 7;

/** How long finished executions are kept: for so many days, or as long as their workspace says. */
export interface Retention {
  readonly days: number;
  readonly own: readonly { readonly workspaceId: string; readonly days: number }[];
}

/** Deletes what is too old, in batches small enough to disturb nobody. Each tells how many rows went. */
@Injectable()
export class HistoryRepository {
  readonly batchMax = batchMax;

  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /** Finished executions; up to where the finished order of a workspace is gone is remembered with it. */
  purgeExecutions(retention: Retention): Promise<number> {
    return this.inTurn(
      `with recursive ${workspacesOf('execution', '')}, old as (
         select e.* from workspace w ${ownDays}
         cross join lateral (
           select e.id, e.workspace_id, coalesce(e.own_finished_xid, r.finished_xid) as xid,
             coalesce(e.own_finished_seq, r.finished_seq) as seq
           from orchestrator.execution e join orchestrator.run r on r.id = e.run_id
           where e.workspace_id = w.id and e.submitted_at < ${keptFrom}
             and coalesce(e.own_finished_at, r.finished_at) < ${keptFrom}
           order by e.submitted_at limit ${batchMax}
         ) e limit ${batchMax}
       ), gone as (
         delete from orchestrator.execution e using old where e.id = old.id
       ), remembered as (
         insert into orchestrator.finished_horizon as h (workspace_id, xid, seq)
         select distinct on (workspace_id) workspace_id, xid, seq from old order by workspace_id, xid desc, seq desc
         on conflict (workspace_id) do update set xid = excluded.xid, seq = excluded.seq
         where (h.xid, h.seq) < (excluded.xid, excluded.seq)
       )
       select count(*) as count from old`,
      [retention.days, ...ownOf(retention)],
    );
  }

  /** Finished runs of which no execution is left, once they answer nobody any more. */
  purgeRuns(retention: Retention, keptSeconds: number): Promise<number> {
    return this.inTurn(
      `with recursive ${workspacesOf('run', 'where finished_at is not null')}, old as (
         select r.* from workspace w ${ownDays}
         cross join lateral (
           select r.id from orchestrator.run r
           where r.workspace_id = w.id and r.finished_at < ${keptFrom}
             and r.finished_at < now() - make_interval(secs => $4)
             and not exists (select from orchestrator.execution e where e.run_id = r.id)
           order by r.finished_at limit ${batchMax}
         ) r limit ${batchMax}
       ), gone as (
         delete from orchestrator.run r using old where r.id = old.id
       )
       select count(*) as count from old`,
      [retention.days, ...ownOf(retention), keptSeconds],
    );
  }

  /** One orchestrator at a time: the others find nothing to do. */
  private inTurn(statement: string, parameters: readonly unknown[]): Promise<number> {
    return inTransaction(this.dataSource, async (manager) => {
      const [lock]: { is_ours: boolean }[] = await manager.query(
        `select pg_try_advisory_xact_lock(hashtextextended('orchestrator.history', 0)) as is_ours`,
      );
      if (!lock?.is_ours) return 0;
      const [row]: { count: string }[] = await manager.query(statement, [...parameters]);
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

const ownDays = 'left join unnest($2::text[], $3::integer[]) as own (id, days) on own.id = w.id';
const keptFrom = 'now() - make_interval(days => coalesce(own.days, $1))';

function ownOf({ own }: Retention): [string[], number[]] {
  return [own.map(({ workspaceId }) => workspaceId), own.map(({ days }) => days)];
}

/** Every workspace that has a row in the table, each found by one look into an index that begins with it. */
function workspacesOf(table: 'execution' | 'run', where: string): string {
  const and = where === '' ? 'where' : `${where} and`;
  return `every_workspace (id) as (
    (select t.workspace_id from orchestrator.${table} t ${where} order by t.workspace_id limit 1)
    union all
    select (select t.workspace_id from orchestrator.${table} t ${and} t.workspace_id > w.id
      order by t.workspace_id limit 1)
    from every_workspace w where w.id is not null
  ), workspace as (select id from every_workspace where id is not null)`;
}
