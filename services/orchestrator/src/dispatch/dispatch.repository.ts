import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import type { RunPlan } from '#libs/contracts';
import { inTransaction, queryPrepared } from '#libs/database';
import { assignments } from '../run/run-move.repository.js';
import { fromStoredValues, type StoredValues } from '../run/bound-values.js';
import { decodeSource } from '../source/source-snapshot.js';

/** What of the run's row goes into its plan. */
const planColumns = `r.id, r.fence, r.workspace_id, r.source, r.sql, r.bound_values, r.reach, r.rows_max, r.bytes_max, r.timeout_ms,
  r.user_id, r.request_id, r.traceparent`;

interface PlanRow {
  id: string;
  fence: number;
  workspace_id: string;
  source: Buffer;
  sql: string;
  bound_values: StoredValues;
  reach: RunPlan['reach'] | null;
  rows_max: string;
  bytes_max: string;
  timeout_ms: number;
  user_id: string;
  request_id: string;
  traceparent: string;
}

export type FillOutcome =
  | { readonly kind: 'busy' }
  | { readonly kind: 'filled'; readonly plans: readonly RunPlan[]; readonly hasMore: boolean };

@Injectable()
export class DispatchRepository {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  async hasBacklog(pool: string): Promise<boolean> {
    const [row] = await queryPrepared<{ found: boolean }>(
      this.dataSource,
      `select exists (select 1 from orchestrator.lane where pool = $1 and queued > 0) as found`,
      [pool],
    );
    return row?.found ?? false;
  }

  /** How many runs wait in each class, for the metrics. */
  async depths(): Promise<{ pool: string; class: 1 | 2 | 3; queued: string }[]> {
    return this.dataSource.query(
      `select pool, class, sum(queued) as queued from orchestrator.lane where queued > 0 group by pool, class`,
    );
  }

  /** Dispatches from the backlog until the slots are full, nothing more may run, or `limit` is reached. */
  async fill(pool: string, workerLiveSeconds: number, limit: number): Promise<FillOutcome> {
    return inTransaction(this.dataSource, async (manager) => {
      if (!(await this.tryLock(manager, pool))) return { kind: 'busy' };
      const free = Math.min(limit, await freeSlots(manager, pool, workerLiveSeconds));
      const plans: RunPlan[] = [];
      while (plans.length < free) {
        const plan = await dispatchNext(manager, pool);
        if (!plan) break;
        plans.push(plan);
      }
      return { kind: 'filled', plans, hasMore: plans.length === limit };
    });
  }

  /**
   * Who holds it, until the end of the transaction, alone takes slots of the pool. Counting must be a statement of its
   * own behind this one, so that it sees what the last holder has committed.
   */
  private async tryLock(manager: EntityManager, pool: string): Promise<boolean> {
    const [row]: { held: boolean }[] = await manager.query(`select orchestrator.try_lock_pool($1) as held`, [pool]);
    return row?.held ?? false;
  }
}

async function freeSlots(manager: EntityManager, pool: string, workerLiveSeconds: number): Promise<number> {
  const [row]: { free: string }[] = await manager.query(`select orchestrator.free_slots($1, $2) as free`, [
    pool,
    workerLiveSeconds,
  ]);
  return Number(row?.free ?? 0);
}

/**
 * The next run of the lane that comes first among the sources below their limit. The order of the lanes is the whole
 * policy of fairness and stands in this one place. A run whose row is locked (someone joins or leaves it just now) is
 * passed over; it is looked at again with the next change.
 */
async function dispatchNext(manager: EntityManager, pool: string): Promise<RunPlan | undefined> {
  const rows: PlanRow[] = await manager.query(
    `with next as (
       select waiting.id
       from (
         select l.* from orchestrator.lane l join orchestrator.source s on s.id = l.source_id
         where l.pool = $1 and l.queued > 0 and not s.paused and not s.deleted
           and orchestrator.active_of_source(l.pool, l.source_id) < s.max_concurrent_executions
         order by l.class, l.served_at nulls first
       ) lane
       cross join lateral (
         select q.id from orchestrator.run q
         where q.state = 'QUEUED' and q.pool = lane.pool and q.source_id = lane.source_id
           and q.workspace_id = lane.workspace_id and q.user_id = lane.user_id and q.class = lane.class
           and q.not_before <= now()
         order by q.submitted_at, q.id limit 1 for update skip locked
       ) waiting
       limit 1
     ), r as (
       update orchestrator.run set ${assignments('dispatch', ['fence = fence + 1', 'dispatched_at = now()'])}
       where id = (select id from next) and state = 'QUEUED'
       returning *
     )
     select ${planColumns} from r`,
    [pool],
  );
  const [row] = rows;
  return row && toPlan(row);
}

function toPlan(row: PlanRow): RunPlan {
  return {
    runId: row.id,
    fence: row.fence,
    workspaceId: row.workspace_id,
    source: decodeSource(row.source),
    sql: row.sql,
    values: fromStoredValues(row.bound_values),
    reach: row.reach ?? undefined,
    rowsMax: Number(row.rows_max),
    bytesMax: Number(row.bytes_max),
    timeoutMs: row.timeout_ms,
    submittedById: row.user_id,
    requestId: row.request_id,
    traceparent: row.traceparent,
  };
}
