import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import type { ActiveRun, SourceQueue, Usage } from '#libs/contracts';
import { priorityOfClass, type PriorityClass } from '../run/run.types.js';
import { activeRunColumns, toActiveRun, type ActiveRunRow } from './active-run.row.js';

/** So many of the newest ends are looked at, however many there were. */
const endsMax = 1_000;
/** Of the users that wait for one source, those are looked at who have waited longest for a turn. */
const usersMax = 200;
const queuesMax = 500;

export type UsageOrder = 'runs' | 'seconds' | 'rows';

/** What happens in one workspace. Nothing here reads history beyond a bound. */
@Injectable()
export class OperationsRepository {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  async queues(workspaceId: string, pool: string): Promise<SourceQueue[]> {
    const rows: QueueRow[] = await this.dataSource.query(
      `select b.source_id, b.class, b.queued, h.submitted_at as waiting_since, coalesce(s.paused, false) as paused,
         (select count(*) from orchestrator.run r where r.pool = $2 and r.source_id = b.source_id
            and r.state in ('DISPATCHED', 'RUNNING', 'CANCELING'))::integer as active
       from orchestrator.backlog b left join orchestrator.source s on s.id = b.source_id
       left join lateral (
         select min(head.submitted_at) as submitted_at
         from (select l.user_id from orchestrator.lane l
           where l.pool = b.pool and l.workspace_id = b.workspace_id and l.source_id = b.source_id and l.class = b.class
             and l.waits order by l.served_at limit ${usersMax}) l
         cross join lateral (
           select q.submitted_at from orchestrator.run q
           where q.state = 'QUEUED' and q.pool = b.pool and q.source_id = b.source_id
             and q.workspace_id = b.workspace_id and q.user_id = l.user_id and q.class = b.class
           order by q.submitted_at, q.id limit 1) head) h on true
       where b.pool = $2 and b.workspace_id = $1 and b.waits
       order by h.submitted_at limit ${queuesMax}`,
      [workspaceId, pool],
    );
    return rows.map((row) => ({
      dataSourceId: row.source_id,
      priority: priorityOfClass[row.class],
      queued: row.queued,
      waitingSince: row.waiting_since ?? undefined,
      active: row.active,
      paused: row.paused,
    }));
  }

  /** What runs now, that which began first foremost. */
  async running(workspaceId: string, pool: string, limit: number): Promise<ActiveRun[]> {
    const rows: ActiveRunRow[] = await this.dataSource.query(
      `select ${activeRunColumns} from orchestrator.run r
       where r.pool = $2 and r.state in ('DISPATCHED', 'RUNNING', 'CANCELING') and r.workspace_id = $1
         and r.started_at is not null
       order by r.started_at limit $3`,
      [workspaceId, pool, limit],
    );
    return rows.map(toActiveRun);
  }

  /** What ran longest of what has ended in the last hour; an index holds what took a second and more. */
  async ended(workspaceId: string, limit: number): Promise<ActiveRun[]> {
    const rows: ActiveRunRow[] = await this.dataSource.query(
      `select ${activeRunColumns} from (
         select * from orchestrator.run
         where workspace_id = $1 and finished_at > now() - interval '1 hour'
           and finished_at - started_at > interval '1 second'
         order by finished_at desc limit ${endsMax}) r
       order by r.finished_at - r.started_at desc limit $2`,
      [workspaceId, limit],
    );
    return rows.map(toActiveRun);
  }

  /** Of today, as quotas count it. */
  async usageOfUsers(workspaceId: string, by: UsageOrder, limit: number): Promise<Usage[]> {
    return toUsages(
      await this.dataSource.query(
        `select u.user_id as id, sum(u.executions) as runs, sum(u.seconds) as seconds, sum(u.rows) as rows
         from orchestrator.used_today u where u.workspace_id = $1
         group by u.user_id order by ${by} desc, id limit $2`,
        [workspaceId, limit],
      ),
    );
  }

  /** Of the last runs that have ended within the hour. */
  async usageOfSources(workspaceId: string, by: UsageOrder, limit: number): Promise<Usage[]> {
    return toUsages(
      await this.dataSource.query(
        `select r.source_id as id, count(*) as runs, sum(r.rows) as rows,
           coalesce(sum(extract(epoch from r.finished_at - r.started_at)), 0)::double precision as seconds
         from (select source_id, started_at, finished_at, rows from orchestrator.run
           where workspace_id = $1 and finished_at > now() - interval '1 hour'
           order by finished_at desc limit ${endsMax}) r
         group by r.source_id order by ${by} desc, id limit $2`,
        [workspaceId, limit],
      ),
    );
  }
}

interface QueueRow {
  source_id: string;
  class: PriorityClass;
  queued: number;
  waiting_since: Date | null;
  paused: boolean;
  active: number;
}

interface UsageRow {
  id: string;
  runs: string;
  seconds: number;
  rows: string;
}

function toUsages(rows: readonly UsageRow[]): Usage[] {
  return rows.map((row) => ({ id: row.id, runs: Number(row.runs), seconds: row.seconds, rows: Number(row.rows) }));
}
