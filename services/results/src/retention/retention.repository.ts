import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { resultTables, type ResultTables } from '../database/result-tables.js';

/** Why the rows of a result go: their time is over, or their workspace keeps results for fewer days, or fewer bytes of them. */
export type EndReason = 'age' | 'days' | 'bytes';

/** A run whose rows are gone from the database, and may have pages in the store. */
export interface PurgedRun {
  readonly workspaceId: string;
  readonly runId: string;
  readonly hadPages: boolean;
  /** Undefined where there was no result, but a mere fence mark. */
  readonly reason: EndReason | undefined;
}

/** Which files of a run are still wanted. */
export interface KeptRun {
  readonly runId: string;
  readonly fence: number;
}

/** How much of their results workspaces keep. Undefined is no limit. */
export interface RetentionLimits {
  /** Of workspaces that have none of their own. */
  readonly bytesMax: number | undefined;
  readonly own: readonly {
    readonly workspaceId: string;
    readonly days?: number | undefined;
    readonly bytesMax?: number | undefined;
  }[];
}

interface PurgedRow {
  run_id: string;
  workspace_id: string;
  had_pages: boolean;
  reason: EndReason | null;
}

/** Of the look at what all results take; it is kept with its turn. */
export const keptBytesSweep = 'kept bytes';

/** What is over and may go. */
@Injectable()
export class RetentionRepository {
  private readonly tables: ResultTables;

  constructor(@InjectDataSource() private readonly dataSource: DataSource) {
    this.tables = resultTables(dataSource);
  }

  /**
   * Takes the rows of results whose time is over, at most `limit`, and answers whose they were. Readers have been told
   * EXPIRED since expires_at; the grace is for those who asked just before. Processes that do this at once take
   * different ones. A manifest stays for a while, as the record of what there was; a mere fence mark goes.
   */
  async purge(limit: number, graceSeconds: number): Promise<PurgedRun[]> {
    const rows: PurgedRow[] = await this.dataSource.query(
      `with due as (
         select run_id from ${this.tables.manifest}
         where purged_at is null and expires_at < now() - make_interval(secs => $2)
         order by expires_at limit $1
         for update skip locked
       ), marks as (
         delete from ${this.tables.manifest} m using due where m.run_id = due.run_id and m.state = 'NONE'
       ), gone as (
         delete from ${this.tables.page} p using due where p.run_id = due.run_id
       ), purged as (
         update ${this.tables.manifest} m set purged_at = now(), inline = null from due
         where m.run_id = due.run_id and m.state <> 'NONE'
         returning m.run_id, m.workspace_id, m.page_count > 0 as had_pages, coalesce(m.ended_by, 'age') as reason
       )
       select * from purged
       union all select m.run_id, m.workspace_id, false, null
       from ${this.tables.manifest} m join due using (run_id) where m.state = 'NONE'`,
      [limit, graceSeconds],
    );
    return rows.map((row) => ({
      workspaceId: row.workspace_id,
      runId: row.run_id,
      hadPages: row.had_pages,
      reason: row.reason ?? undefined,
    }));
  }

  /**
   * Ends the time of results that a workspace's own limits do not keep: those begun so many days ago, and of the others
   * the oldest beyond so many bytes. What is younger than `keptSeconds` stays: it may still answer others.
   * @returns how many
   */
  async endBeyondLimits(limits: RetentionLimits, keptSeconds: number): Promise<number> {
    const rows: unknown[] = await this.dataSource.query(
      `with own as (
         select * from unnest($1::text[], $2::integer[], $3::bigint[]) as o (workspace_id, days, bytes_max)
       ), held as (
         select run_id, workspace_id, created_at, expires_at,
           sum(stored_bytes) over (partition by workspace_id order by created_at desc, run_id) as bytes_so_far
         from ${this.tables.manifest}
         where purged_at is null and state in ('COMPLETE', 'PARTIAL')
       ), ended as (
         update ${this.tables.manifest} m set expires_at = now(),
           ended_by = case when held.created_at < now() - make_interval(days => own.days) then 'days' else 'bytes' end
         from held left join own using (workspace_id)
         where m.run_id = held.run_id and held.expires_at > now()
           and held.created_at < now() - make_interval(secs => $5)
           and (held.created_at < now() - make_interval(days => own.days)
             or held.bytes_so_far > coalesce(own.bytes_max, $4::bigint))
         returning 1
       )
       select 1 from ended`,
      [
        limits.own.map(({ workspaceId }) => workspaceId),
        limits.own.map(({ days }) => days ?? null),
        limits.own.map(({ bytesMax }) => bytesMax ?? null),
        limits.bytesMax ?? null,
        keptSeconds,
      ],
    );
    return rows.length;
  }

  /** Sums up what all kept results take, for whoever asks until the next time: it reads an entry of each. */
  async measureKeptBytes(): Promise<void> {
    await this.dataSource.query(
      `insert into ${this.tables.sweep} as s (name, next_at, found)
       select $1, now(), coalesce(sum(stored_bytes), 0) from ${this.tables.manifest}
       where purged_at is null and state in ('COMPLETE', 'PARTIAL')
       on conflict (name) do update set found = excluded.found`,
      [keptBytesSweep],
    );
  }

  /** As measured last; undefined where that was never done. */
  async keptBytes(): Promise<number | undefined> {
    const [row]: { found: string | null }[] = await this.dataSource.query(
      `select found from ${this.tables.sweep} where name = $1`,
      [keptBytesSweep],
    );
    // node-postgres gives bigint as text.
    return typeof row?.found === 'string' ? Number(row.found) : undefined;
  }

  /** Deletes what is left of results whose rows went so long ago, at most `limit`. @returns how many */
  async forget(limit: number, olderThanDays: number): Promise<number> {
    const rows: unknown[] = await this.dataSource.query(
      `with gone as (
         delete from ${this.tables.manifest} where run_id in (
           select run_id from ${this.tables.manifest} where purged_at < now() - make_interval(days => $2)
           order by purged_at limit $1 for update skip locked)
         returning 1
       )
       select 1 from gone`,
      [limit, olderThanDays],
    );
    return rows.length;
  }

  /** Results that have been written to for longer than any run may last: their end was never told. */
  async closeForgotten(olderThanSeconds: number, ttlSeconds: number): Promise<number> {
    const rows: unknown[] = await this.dataSource.query(
      `with closed as (
         update ${this.tables.manifest} set
           state = 'PARTIAL', closed_fence = greatest(closed_fence, fence), expires_at = now() + make_interval(secs => $2)
         where state = 'WRITING' and created_at < now() - make_interval(secs => $1)
         returning 1
       )
       select 1 from closed`,
      [olderThanSeconds, ttlSeconds],
    );
    return rows.length;
  }

  /** Of these runs, those that have stored pages that can be read or may yet be. */
  async runsWithPages(runIds: readonly string[]): Promise<KeptRun[]> {
    const rows: { run_id: string; fence: number }[] = await this.dataSource.query(
      `select run_id, fence from ${this.tables.manifest} where run_id = any($1) and page_count > 0 and purged_at is null`,
      [runIds],
    );
    return rows.map((row) => ({ runId: row.run_id, fence: row.fence }));
  }

  /** True for one process in each period, however many ask. */
  async claimSweep(name: string, periodSeconds: number): Promise<boolean> {
    const rows: unknown[] = await this.dataSource.query(
      `insert into ${this.tables.sweep} as s (name, next_at) values ($1, now() + make_interval(secs => $2))
       on conflict (name) do update set next_at = excluded.next_at where s.next_at <= now()
       returning 1`,
      [name, periodSeconds],
    );
    return rows.length > 0;
  }
}
