import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import { inTransaction } from '#libs/database';
import { newId } from '#libs/kernel';
import { toView, viewColumns, type ViewRow } from '../execution/execution.row.js';
import { eventType, payloadOf } from './webhook-payload.js';

/** Webhooks and ends of each that are taken in one turn. */
const webhooksMax = 20;
const endsMax = 200;

interface EndRow extends ViewRow {
  webhook_id: string;
  is_told: boolean;
  finished_xid: string;
  finished_seq: string;
}

/**
 * Makes deliveries of what has ended. Each webhook has a place in the finished order of its workspace, which commits cannot
 * cross (see FinishedRepository), and moves it in the transaction that writes its deliveries: so each end is told once,
 * whatever dies when, and to end a run costs nothing more. A webhook whose deliveries wait keeps its place: what is still to be
 * told is no row of its own.
 */
@Injectable()
export class WebhookFeedRepository {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /** @returns whether there was anything, so that there may be more */
  async advance(pendingMax: number): Promise<boolean> {
    return inTransaction(this.dataSource, async (manager) => {
      const ends = await readEnds(manager, pendingMax);
      if (ends.length === 0) return false;
      await insertDeliveries(
        manager,
        ends.filter((end) => end.is_told),
      );
      await movePlaces(manager, ends);
      return true;
    });
  }
}

/** Behind the place of webhook `w`, and below what a commit may still cross. */
function behind(xid: string, seq: string): string {
  return `${xid} < pg_snapshot_xmin(pg_current_snapshot()) and (${xid}, ${seq}) >= (w.told_xid, w.told_seq)
    and ((${xid}, ${seq}) > (w.told_xid, w.told_seq) or e.id collate "C" > w.told_execution_id)`;
}

/** The next ends of the workspace of `w`; what a kept result has answered was told in the answer. */
function endsOf(limit: number): string {
  return `select * from (
      (select e.id, r.finished_xid, r.finished_seq
       from orchestrator.run r join orchestrator.execution e on e.run_id = r.id
       where r.workspace_id = w.workspace_id and e.own_state is null and r.finished_seq is not null
         and ${behind('r.finished_xid', 'r.finished_seq')}
       order by r.finished_xid, r.finished_seq, e.id collate "C" limit ${limit})
      union all
      (select e.id, e.own_finished_xid, e.own_finished_seq from orchestrator.execution e
       where e.workspace_id = w.workspace_id and e.own_state = 'CANCELED'
         and ${behind('e.own_finished_xid', 'e.own_finished_seq')}
       order by e.own_finished_xid, e.own_finished_seq, e.id collate "C" limit ${limit})
    ) ends order by finished_xid, finished_seq, id collate "C" limit ${limit}`;
}

/** SKIP LOCKED: what another orchestrator tells is not ours. */
async function readEnds(manager: EntityManager, pendingMax: number): Promise<EndRow[]> {
  const rows: EndRow[] = await manager.query(
    `with w as (
       select * from orchestrator.webhook w
       where w.state = 'ENABLED' and exists (${endsOf(1)}) and (
         select count(*) from (select from orchestrator.webhook_delivery d
           where d.webhook_id = w.id and d.state = 'PENDING' limit $1) d) < $1
       limit ${webhooksMax} for update skip locked
     )
     select ${viewColumns}, w.id as webhook_id, page.finished_xid, page.finished_seq,
       (w.states = '{}' or coalesce(e.own_state, r.state) = any (w.states))
         and (w.saved_query_ids = '{}' or coalesce(e.saved_query_id = any (w.saved_query_ids), false))
         and (w.data_source_ids = '{}' or r.source_id = any (w.data_source_ids)) as is_told
     from w cross join lateral (${endsOf(endsMax)}) page
     join orchestrator.execution e on e.id = page.id join orchestrator.run r on r.id = e.run_id
     order by w.id, page.finished_xid, page.finished_seq, page.id collate "C"`,
    [pendingMax],
  );
  return rows;
}

async function insertDeliveries(manager: EntityManager, ends: readonly EndRow[]): Promise<void> {
  if (ends.length === 0) return;
  await manager.query(
    `insert into orchestrator.webhook_delivery (id, webhook_id, execution_id, event_type, payload)
     select id, webhook_id, execution_id, $5, payload
     from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as d (id, webhook_id, execution_id, payload)
     on conflict (webhook_id, execution_id) do nothing`,
    [
      ends.map(() => newId('webhookDelivery')),
      ends.map((end) => end.webhook_id),
      ends.map((end) => end.id),
      ends.map((end) => payloadOf(toView(end).execution)),
      eventType,
    ],
  );
}

async function movePlaces(manager: EntityManager, ends: readonly EndRow[]): Promise<void> {
  // They come in their order, so the last one of each webhook stays.
  const last = [...new Map(ends.map((end) => [end.webhook_id, end])).values()];
  await manager.query(
    `update orchestrator.webhook w set told_xid = t.xid, told_seq = t.seq, told_execution_id = t.id
     from unnest($1::text[], $2::xid8[], $3::bigint[], $4::text[]) as t (webhook_id, xid, seq, id)
     where w.id = t.webhook_id`,
    [
      last.map((end) => end.webhook_id),
      last.map((end) => end.finished_xid),
      last.map((end) => end.finished_seq),
      last.map((end) => end.id),
    ],
  );
}
