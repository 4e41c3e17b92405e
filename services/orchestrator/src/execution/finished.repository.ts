import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import type { FinishedPosition } from '#libs/contracts';
import { toView, viewColumns, type ViewRow } from './execution.row.js';
import type { FinishedView } from './execution.types.js';

interface FinishedRow extends ViewRow {
  finished_xid: string;
  finished_seq: string;
}

export interface FinishedRead {
  readonly finished: FinishedView[];
  /** Everything before it has been read or is not the caller's. */
  readonly horizon: FinishedPosition;
  readonly isSkipped: boolean;
}

/** Greater than every sequence and still a whole number in JavaScript. */
const sequenceMax = Number.MAX_SAFE_INTEGER;

/**
 * The order of final states: the id of the transaction that told them, a number, and the execution's id. Reading stops
 * below the oldest transaction that still runs: whatever commits later has a greater transaction id, so it comes
 * behind, never between. The cost is that a long writing transaction anywhere in the database delays the list.
 */
@Injectable()
export class FinishedRepository {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /** The position of now: what ends from here on lies behind it. */
  async now(): Promise<FinishedPosition> {
    const [row]: { xid: string }[] = await this.dataSource.query(
      `select (pg_snapshot_xmin(pg_current_snapshot())::text::numeric - 1)::text as xid`,
    );
    if (!row) throw new Error('PostgreSQL has not told its snapshot');
    return { xid: row.xid, sequence: sequenceMax };
  }

  async list(workspaceId: string, callerId: string, after: FinishedPosition, limit: number): Promise<FinishedRead> {
    // One statement, so that rows, bound and horizon are of one snapshot.
    const rows: (FinishedRow & { bound: string; is_skipped: boolean; is_row: boolean })[] = await this.dataSource.query(
      `with snapshot as (select pg_snapshot_xmin(pg_current_snapshot()) as xmin), ends as (
         (select e.id, r.finished_xid, r.finished_seq
          from orchestrator.run r join orchestrator.execution e on e.run_id = r.id
          where r.workspace_id = $1 and e.caller_id = $2 and e.own_state is null and r.finished_seq is not null
            and ${behind('r.finished_xid', 'r.finished_seq')}
          order by r.finished_xid, r.finished_seq, e.id collate "C" limit $6)
         union all
         (select e.id, e.own_finished_xid, e.own_finished_seq
          from orchestrator.execution e
          where e.workspace_id = $1 and e.caller_id = $2 and e.own_finished_seq is not null
            and ${behind('e.own_finished_xid', 'e.own_finished_seq')}
          order by e.own_finished_xid, e.own_finished_seq, e.id collate "C" limit $6)
       ), page as (
         select * from ends order by finished_xid, finished_seq, id collate "C" limit $6
       ), views as (
         select ${viewColumns}, page.finished_xid, page.finished_seq, true as is_row
         from page join orchestrator.execution e on e.id = page.id join orchestrator.run r on r.id = e.run_id
       )
       select views.*, (snapshot.xmin::text::numeric - 1)::text as bound,
         -- Whoever stands among the executions of a run that is gone may have missed the rest of them.
         exists (select 1 from orchestrator.finished_horizon h where h.workspace_id in ($1, '')
           and (h.xid, h.seq) >= ($3::xid8, $4::bigint)
           and ($5::text is not null or (h.xid, h.seq) > ($3::xid8, $4::bigint))) as is_skipped
       from snapshot left join views on true
       order by views.finished_xid, views.finished_seq, views.id collate "C"`,
      [workspaceId, callerId, after.xid, after.sequence, after.executionId ?? null, limit],
    );
    const [first] = rows;
    if (!first) throw new Error('PostgreSQL has not told its snapshot');
    const finished = first.is_row ? rows.map(toFinished) : [];
    return {
      finished,
      horizon: positionBehind(finished, after, { xid: first.bound, sequence: sequenceMax }, limit),
      isSkipped: first.is_skipped,
    };
  }
}

/** Behind the position in $3, $4 and $5, and below what may still be crossed. Without $5: behind all of its number. */
function behind(xid: string, seq: string): string {
  return `${xid} < (select xmin from snapshot) and (${xid}, ${seq}) >= ($3::xid8, $4::bigint)
    and ((${xid}, ${seq}) > ($3::xid8, $4::bigint) or e.id collate "C" > $5::text)`;
}

function toFinished(row: FinishedRow): FinishedView {
  return {
    position: { xid: row.finished_xid, sequence: Number(row.finished_seq), executionId: row.id },
    view: toView(row),
  };
}

/** A full page goes on from its last row; otherwise everything up to the bound has been read. */
function positionBehind(
  finished: readonly FinishedView[],
  after: FinishedPosition,
  bound: FinishedPosition,
  limit: number,
): FinishedPosition {
  const last = finished.at(-1);
  if (last && finished.length === limit) return last.position;
  return BigInt(bound.xid) >= BigInt(after.xid) ? bound : after;
}
