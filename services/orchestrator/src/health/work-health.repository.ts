import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';

/** So many of the newest ends are looked at, however many there were. */
const endsMax = 1_000;
const lanesMax = 1_000;
const unreached = `state = 'FAILED' and error_code like 'source.%'`;

interface WorkerCounts {
  readonly live: number;
  readonly draining: number;
  readonly slots: number;
  readonly active: number;
  readonly silent: number;
}

interface WaitingWork {
  readonly queued: number;
  readonly oldestSeconds: number;
}

interface FailingSource {
  readonly sourceId: string;
  readonly ended: number;
  readonly failed: number;
  readonly code: string;
}

/** What goes wrong with runs, over all workspaces. Each statement looks at few rows, whatever there is. */
@Injectable()
export class WorkHealthRepository {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  async workers(pool: string, liveSeconds: number): Promise<WorkerCounts> {
    const [row]: WorkerCounts[] = await this.dataSource.query(
      `select count(*) filter (where is_live)::integer as live,
         count(*) filter (where is_live and draining)::integer as draining,
         coalesce(sum(slots) filter (where is_live), 0)::integer as slots,
         count(*) filter (where not is_live and not draining)::integer as silent,
         (select count(*) from orchestrator.run
          where pool = $1 and state in ('DISPATCHED', 'RUNNING', 'CANCELING'))::integer as active
       from (select *, heartbeat_at > now() - make_interval(secs => $2) as is_live from orchestrator.worker
         where pool = $1 and heartbeat_at > now() - interval '10 minutes') w`,
      [pool, liveSeconds],
    );
    return row ?? { live: 0, draining: 0, slots: 0, silent: 0, active: 0 };
  }

  /** What waits for a source that is not paused. The oldest is looked for in the lanes that have waited longest. */
  async waiting(pool: string): Promise<WaitingWork> {
    const [row]: { queued: string; seconds: number | null }[] = await this.dataSource.query(
      `select (select coalesce(sum(b.queued), 0) from orchestrator.backlog b
           join orchestrator.source s on s.id = b.source_id and not s.paused where b.pool = $1 and b.waits) as queued,
         extract(epoch from now() - min(h.submitted_at))::double precision as seconds
       from (select l.* from orchestrator.backlog b
           join orchestrator.source s on s.id = b.source_id and not s.paused
           join orchestrator.lane l on (l.pool, l.workspace_id, l.source_id, l.class)
             = (b.pool, b.workspace_id, b.source_id, b.class) and l.waits
         where b.pool = $1 and b.waits limit ${lanesMax}) l
       cross join lateral (
         select r.submitted_at from orchestrator.run r
         where r.state = 'QUEUED' and (r.pool, r.source_id, r.workspace_id, r.user_id, r.class)
           = (l.pool, l.source_id, l.workspace_id, l.user_id, l.class)
         order by r.submitted_at limit 1) h`,
      [pool],
    );
    return { queued: Number(row?.queued ?? 0), oldestSeconds: row?.seconds ?? 0 };
  }

  async pausedWithBacklog(pool: string): Promise<{ sourceId: string; queued: number }[]> {
    return this.dataSource.query(
      `select b.source_id as "sourceId", sum(b.queued)::integer as queued
       from orchestrator.backlog b join orchestrator.source s on s.id = b.source_id
       where b.pool = $1 and b.waits and s.paused group by b.source_id order by 2 desc limit 20`,
      [pool],
    );
  }

  /** Sources that were not reached for more than this share of what ended of late. A query that is wrong says nothing of its source. */
  async failingSources(shareMax: number, endedMin: number, minutes: number): Promise<FailingSource[]> {
    return this.dataSource.query(
      `select source_id as "sourceId", count(*)::integer as ended,
         count(*) filter (where ${unreached})::integer as failed,
         mode() within group (order by error_code) filter (where ${unreached}) as code
       from (select source_id, state, error_code from orchestrator.run
         where finished_at > now() - make_interval(mins => $3) order by finished_at desc limit ${endsMax}) r
       group by source_id
       having count(*) >= $2 and count(*) filter (where ${unreached}) > count(*) * $1::double precision
       order by 3 desc limit 20`,
      [shareMax, endedMin, minutes],
    );
  }

  /** Runs that should have moved on long ago, by state. */
  async stuck(pool: string, seconds: number): Promise<{ state: string; count: number }[]> {
    return this.dataSource.query(
      `select state, count(*)::integer as count from orchestrator.run
       where pool = $1 and state in ('DISPATCHED', 'RUNNING', 'CANCELING')
         and coalesce(case state when 'DISPATCHED' then dispatched_at when 'CANCELING' then canceling_at
           else lease_until end, now()) < now() - make_interval(secs => $2)
       group by state`,
      [pool, seconds],
    );
  }
}
