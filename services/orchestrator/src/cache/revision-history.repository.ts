import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { cacheTtlDaysMax } from '../orchestrator.config.js';

const batchMax = 500;
/**
 * Counted by the greatest age that can be set, as it may be raised at any time; a stale answer may be as much older again. A day more
 * than that for what is open meanwhile, and for clocks that differ.
 */
const keptDays = 2 * cacheTtlDaysMax + 1;

/** A place in the order of the table's key. */
export interface RevisionPlace {
  readonly workspaceId: string;
  readonly subject: string;
}

interface Looked {
  /** Where to go on; undefined at the end of the table. */
  readonly next: RevisionPlace | undefined;
  readonly goneCount: number;
}

@Injectable()
export class RevisionHistoryRepository {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /** Notes once a day which revision is the last, and forgets all old notes but the newest, which says all that they say. */
  async note(): Promise<void> {
    await this.dataSource.query(
      `insert into orchestrator.cache_horizon (revision)
       select last_value from orchestrator.cache_revision_seq
       where not exists (select from orchestrator.cache_horizon where noted_at > now() - interval '1 day')
       on conflict (revision) do nothing`,
    );
    await this.dataSource.query(
      `delete from orchestrator.cache_horizon where revision < (
         select max(revision) from orchestrator.cache_horizon where noted_at < now() - interval '${keptDays} days')`,
    );
  }

  /**
   * Looks at the next revisions, and deletes those that concern no run: it would have to carry a lesser one. Such a run has begun
   * before the note was taken. Where it has succeeded, it is too old to answer; where it is still under way, it is among the active ones;
   * where it is back in the queue, it is given the last revision once more when it begins. What is given a newer revision meanwhile stays.
   */
  async purge(after: RevisionPlace): Promise<Looked> {
    const [row]: { workspace_id: string | null; subject: string | null; looked: string; gone: string }[] =
      await this.dataSource.query(
        `with looked as materialized (
           select ctid as place, workspace_id, subject, revision from orchestrator.cache_revision
           where (workspace_id, subject) > ($1, $2) order by workspace_id, subject limit ${batchMax}
         ), bound as materialized (
           select least(
             (select max(revision) from orchestrator.cache_horizon where noted_at < now() - interval '${keptDays} days'),
             (select min(r.cache_revision) from orchestrator.run r where r.state in ('DISPATCHED', 'RUNNING', 'CANCELING'))
           ) as revision
           where exists (select from orchestrator.cache_horizon where noted_at < now() - interval '${keptDays} days')
         -- By their places, as a plan for keys may read the whole table.
         ), old as materialized (
           select c.ctid as place from orchestrator.cache_revision c
           where c.ctid = any (array(select l.place from looked l, bound where l.revision <= bound.revision))
             and c.revision <= (select revision from bound)
           for update skip locked
         ), gone as (
           delete from orchestrator.cache_revision where ctid = any (array(select place from old))
           returning 1
         )
         select last.workspace_id, last.subject, (select count(*) from looked) as looked, (select count(*) from gone) as gone
         from (select 1) one
         left join (select * from looked order by workspace_id desc, subject desc limit 1) last on true`,
        [after.workspaceId, after.subject],
      );
    const { workspace_id: workspaceId = null, subject = null, looked, gone } = row ?? {};
    const isMore = Number(looked) >= batchMax && workspaceId !== null && subject !== null;
    return { next: isMore ? { workspaceId, subject } : undefined, goneCount: Number(gone ?? 0) };
  }
}
