import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { AuditRepository, inTransaction, type AuditRecord } from '#libs/database';
import type { OperatedWorker } from '#libs/contracts';
import { activeRunColumns, toActiveRun, type ActiveRunRow } from './active-run.row.js';

const workersMax = 500;
const runsMax = 1_000;
/** A worker that is silent for longer is gone. */
const silentMinutes = 10;

interface WorkerRow {
  id: string;
  pool: string;
  slots: number;
  draining: boolean;
  live: boolean;
  heartbeat_at: Date;
  own_source_ids: string[];
  other_sources: number;
  source_types: string[];
  busy: number;
}

/** The workers of the installation, and what each of them runs for one workspace. */
@Injectable()
export class WorkerListRepository {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly audit: AuditRepository,
  ) {}

  async list(workspaceId: string, pool: string, liveSeconds: number): Promise<OperatedWorker[]> {
    const [workers, runs] = await Promise.all([
      this.dataSource.query<WorkerRow[]>(
        `select w.*, w.heartbeat_at > now() - make_interval(secs => $2) as live, coalesce(b.busy, 0) as busy,
           s.own_source_ids, s.other_sources
         from orchestrator.worker w left join (
           select r.worker_id, count(*)::integer as busy from orchestrator.run r
           where r.pool = $1 and r.state in ('RUNNING', 'CANCELING') group by r.worker_id) b on b.worker_id = w.id
         -- A worker may be bound to what is deleted, or to what nobody knows.
         cross join lateral (
           select coalesce(array_agg(s.id order by s.id) filter (where s.workspace_id = $3), '{}') as own_source_ids,
             count(*) filter (where s.workspace_id <> $3)::integer as other_sources
           from orchestrator.source s where s.id = any (w.source_ids) and not s.deleted) s
         where w.pool = $1 and w.heartbeat_at > now() - interval '${silentMinutes} minutes'
         order by w.id limit ${workersMax}`,
        [pool, liveSeconds, workspaceId],
      ),
      this.dataSource.query<ActiveRunRow[]>(
        `select ${activeRunColumns} from orchestrator.run r
         where r.pool = $1 and r.state in ('RUNNING', 'CANCELING') and r.workspace_id = $2
         order by r.started_at limit ${runsMax}`,
        [pool, workspaceId],
      ),
    ]);
    const runsOf = Map.groupBy(runs.map(toActiveRun), ({ workerId }) => workerId);
    return workers.map((row) => ({ ...toWorker(row), runs: runsOf.get(row.id) ?? [] }));
  }

  /**
   * Notes who has it drained, or has it take runs again, before it is told: with its next heartbeat it says that it does. Words are
   * counted by the clock, in seconds, so that a worker which has heard one before the database was restored goes by the next one.
   * @returns which word to this worker it is; undefined where there is no such worker
   */
  async orderDraining(workspaceId: string, workerId: string, draining: boolean): Promise<number | undefined> {
    return inTransaction(this.dataSource, async (manager) => {
      const [rows]: [{ revision: number }[], number] = await manager.query(
        `update orchestrator.worker
         set draining_revision = greatest(draining_revision + 1, extract(epoch from now() - timestamptz '2026-01-01 00:00Z')::integer)
         where id = $1 returning draining_revision as revision`,
        [workerId],
      );
      if (rows[0]) await this.audit.add(manager, drainingRecord(workspaceId, workerId, draining));
      return rows[0]?.revision;
    });
  }

  /** Notes that the worker has refused, or has not answered: then it may have heard or not. */
  async noteFailure(workspaceId: string, workerId: string, draining: boolean, failure: string): Promise<void> {
    await inTransaction(this.dataSource, (manager) =>
      this.audit.add(manager, { ...drainingRecord(workspaceId, workerId, draining), failure }),
    );
  }
}

function drainingRecord(workspaceId: string, workerId: string, draining: boolean): AuditRecord {
  return {
    workspaceId,
    action: draining ? 'worker.drained' : 'worker.undrained',
    target: { type: 'worker', id: workerId },
  };
}

function toWorker(row: WorkerRow): Omit<OperatedWorker, 'runs'> {
  return {
    id: row.id,
    pool: row.pool,
    state: stateOf(row),
    slots: row.slots,
    busySlots: row.busy,
    heartbeatAt: row.heartbeat_at,
    sourceIds: row.own_source_ids,
    // What sources of others it is bound to is theirs to know.
    otherSources: row.other_sources,
    sourceTypes: row.source_types,
  };
}

function stateOf({ live, draining, busy, slots }: WorkerRow): OperatedWorker['state'] {
  if (!live) return 'SILENT';
  if (draining) return 'DRAINING';
  return busy >= slots ? 'FULL' : 'FREE';
}
