import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { moveRun } from '../run/run-move.repository.js';
import { endedTryColumns, runColumns, toRun, type RunRow } from '../run/run.row.js';
import type { EndedTry, Run, RunTry } from '../run/run.types.js';

/** At most so many runs of one kind at a time, so that a large loss is worked off in even steps. */
const batchMax = 50;
/** A reaper that dies leaves its runs to another one after this long. */
const claimSeconds = 30;

/** Finds what has been left behind. Several reapers may look at once; each run goes to one of them. */
@Injectable()
export class ReaperRepository {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /** Dispatched runs whose job was lost, or whose worker takes long; each time they are given twice as long. */
  async findUnclaimed(unclaimedMs: number): Promise<RunTry[]> {
    return this.dataSource.query(
      `select id, fence from orchestrator.run where state = 'DISPATCHED' and ${isUnclaimed('$1')} limit ${batchMax}`,
      [unclaimedMs],
    );
  }

  async undispatch(runTry: RunTry, unclaimedMs: number): Promise<Run | undefined> {
    return moveRun(this.dataSource.manager, runTry, 'undispatch', {
      set: ['unclaimed_count = unclaimed_count + 1'],
      where: isUnclaimed('$4'),
      parameters: [unclaimedMs],
    });
  }

  /** Runs that were accepted while their source was being deleted. */
  async findSourceless(): Promise<EndedTry[]> {
    return this.dataSource.query(
      `select ${endedTryColumns} from orchestrator.run
       where state in ('QUEUED', 'DISPATCHED') and source_id > '' and source_id in (select s.id from orchestrator.source s where s.deleted)
       limit ${batchMax}`,
    );
  }

  /** Runs that have waited for a slot longer than they may. */
  async findOverdue(): Promise<EndedTry[]> {
    return this.dataSource.query(
      `select ${endedTryColumns} from orchestrator.run where state = 'QUEUED' and queue_deadline > '-infinity' and queue_deadline < now()
       order by queue_deadline limit ${batchMax}`,
    );
  }

  /** Runs that have waited for a while in which no worker that serves their source was heard. */
  async findUnserved({ queue, lease }: OrchestratorConfig): Promise<EndedTry[]> {
    const { unservedMaxSeconds, bindingHoldSeconds } = queue;
    return this.dataSource.query(
      `with unserved as (
         select distinct b.source_id from orchestrator.backlog b
         where b.waits and not orchestrator.is_served(b.pool, b.source_id, greatest($1::double precision, $2), $3)
       )
       select ${endedTryColumns} from orchestrator.run
       where state = 'QUEUED' and source_id > '' and source_id in (select u.source_id from unserved u)
         and queued_at < now() - make_interval(secs => $1)
       limit ${batchMax}`,
      [unservedMaxSeconds, lease.workerLiveSeconds, Math.max(bindingHoldSeconds, lease.workerLiveSeconds)],
    );
  }

  /** Running past their time, although the worker should have ended them. */
  async findTimedOut(graceMs: number): Promise<RunTry[]> {
    return this.dataSource.query(
      `select id, fence from orchestrator.run
       where state = 'RUNNING' and deadline < now() - $1 * interval '1 millisecond' limit ${batchMax}`,
      [graceMs],
    );
  }

  /** Running, but their worker has been silent for a whole lease. */
  async takeExpired(limit: number): Promise<Run[]> {
    return this.take(`state = 'RUNNING' and lease_until < now()`, limit, []);
  }

  /** To be stopped, but not ended by their worker in time. */
  async takeStuck(graceMs: number, limit: number): Promise<Run[]> {
    return this.take(`state = 'CANCELING' and canceling_at < now() - $2 * interval '1 millisecond'`, limit, [graceMs]);
  }

  private async take(condition: string, limit: number, parameters: readonly unknown[]): Promise<Run[]> {
    const rows: RunRow[] = await this.dataSource.query(
      `with r as (
         update orchestrator.run set reaped_until = now() + interval '${claimSeconds} seconds'
         where id in (
           select id from orchestrator.run
           where ${condition} and coalesce(reaped_until, '-infinity') < now()
           limit $1 for update skip locked)
         returning *
       )
       select ${runColumns} from r`,
      [limit, ...parameters],
    );
    return rows.map(toRun);
  }
}

function isUnclaimed(ms: string): string {
  return `dispatched_at < now() - ${ms} * power(2, least(unclaimed_count, 5)) * interval '1 millisecond'`;
}
