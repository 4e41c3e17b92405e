import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import type { AuditEntry, AuditFault } from '#libs/contracts';
import { inTransaction, queryPrepared, retryingLostRaces } from '#libs/database';
import { bodyOf, noHash } from './audit-body.js';

/** An end of a chain. */
export interface ChainPlace {
  readonly sequence: number;
  readonly hash: Buffer;
}

export interface ChainState {
  /** What came up to here was deleted by retention. */
  readonly anchor: ChainPlace;
  readonly last: ChainPlace;
  readonly retentionDays: number | undefined;
}

/** What a service has told of one workspace, by the id of its message. */
export interface AuditMessage {
  readonly messageId: string;
  readonly workspaceId: string;
  readonly entries: readonly AuditEntry[];
}

interface StateRow {
  anchor_sequence: string;
  anchor_hash: Buffer;
  last_sequence: string;
  last_hash: Buffer;
  retention_days: number | null;
}

const empty: ChainState = {
  anchor: { sequence: 0, hash: noHash },
  last: { sequence: 0, hash: noHash },
  retentionDays: undefined,
};

/** The chains of the workspaces' entries. Of one chain one transaction appends at a time. */
@Injectable()
export class AuditChainRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /** Appends the entries of messages, each the first time that it comes; those of one workspace in the order given. */
  async append(messages: readonly AuditMessage[]): Promise<void> {
    const values = messages.map(({ messageId, workspaceId, entries }) => ({
      message: messageId,
      workspace: workspaceId,
      bodies: entries.map(bodyOf),
    }));
    await retryingLostRaces(() => queryPrepared(this.database, appending, [JSON.stringify(values)]));
  }

  async state(workspaceId: string): Promise<ChainState> {
    return (await stateOf(this.database.manager, workspaceId, '')) ?? empty;
  }

  /** The place of an entry that is kept. */
  async place(workspaceId: string, sequence: number): Promise<ChainPlace | undefined> {
    const [row] = await this.database.query<{ hash: Buffer }[]>(
      `select hash from metadata.audit_entry where workspace_id = $1 and sequence = $2`,
      [workspaceId, sequence],
    );
    return row && { sequence, hash: row.hash };
  }

  /** Checks up to `count` entries behind `from`. @returns the last that is good, and the fault behind it */
  async check(
    workspaceId: string,
    from: ChainPlace,
    count: number,
  ): Promise<{ checked: number; end: ChainPlace; fault: AuditFault | undefined }> {
    const [row] = await this.database.query<
      {
        checked: string;
        end_sequence: string | null;
        end_hash: Buffer | null;
        fault: AuditFault['kind'] | null;
        at: string | null;
      }[]
    >(checking, [workspaceId, from.sequence, from.hash, count]);
    const end = row?.end_sequence && row.end_hash ? { sequence: Number(row.end_sequence), hash: row.end_hash } : from;
    const fault = row?.fault && row.at ? { kind: row.fault, sequence: Number(row.at) } : undefined;
    return { checked: Number(row?.checked ?? 0), end, fault };
  }

  async setRetention(
    manager: EntityManager,
    workspaceId: string,
    days: number | undefined,
  ): Promise<number | undefined> {
    const { retentionDays } = await locked(manager, workspaceId);
    await manager.query(`update metadata.audit_chain set retention_days = $2 where workspace_id = $1`, [
      workspaceId,
      days ?? null,
    ]);
    return retentionDays;
  }

  /** Partitions for the year that comes; and those of quarters that are over, of which nothing is left, go. @returns which */
  async renewPartitions(): Promise<string[]> {
    await this.database.query('select metadata.add_audit_partitions()');
    const rows = await this.database.query<{ name: string }[]>(
      'select name from metadata.drop_empty_audit_partitions(now()) as name',
    );
    return rows.map(({ name }) => name);
  }

  /** Deletes up to `limit` entries of one chain that are older than it keeps them. @returns how many of which workspace */
  async deleteOld(limit: number): Promise<{ workspaceId: string; count: number } | undefined> {
    return inTransaction(this.database, async (manager) => {
      const [due] = await manager.query<{ workspace_id: string; sequence: string; hash: Buffer }[]>(oldest, [limit]);
      if (!due) return undefined;
      await manager.query(
        `update metadata.audit_chain set anchor_sequence = $2, anchor_hash = $3 where workspace_id = $1`,
        [due.workspace_id, due.sequence, due.hash],
      );
      const [, count] = await manager.query<[unknown[], number]>(
        `delete from metadata.audit_entry where workspace_id = $1 and sequence <= $2`,
        [due.workspace_id, due.sequence],
      );
      return { workspaceId: due.workspace_id, count };
    });
  }
}

/** Workspace by workspace, so that two who append to the same chains do not wait for each other. */
const appending = `
  select metadata.append_audit_entries(message, workspace, bodies)
  from (
    select * from rows from (
      json_to_recordset($1) as (message text, workspace text, bodies text[])
    ) with ordinality as told (message, workspace, bodies, place)
    order by workspace, place
  ) ordered`;

/** Of one chain, the last of up to $1 entries from its beginning that are all too old. */
const oldest = `
  select chain.workspace_id, entry.sequence, entry.hash
  from metadata.audit_chain chain
  cross join lateral (
    select max(sequence) as sequence from (
      select sequence, bool_and(occurred_at::timestamptz < now() - chain.retention_days * interval '1 day')
        over (order by sequence) as is_old
      from (
        select sequence, occurred_at from metadata.audit_entry
        where workspace_id = chain.workspace_id and sequence > chain.anchor_sequence order by sequence limit $1
      ) following
    ) begun where is_old
  ) old
  join metadata.audit_entry entry on entry.workspace_id = chain.workspace_id and entry.sequence = old.sequence
  where chain.retention_days is not null
  order by chain.workspace_id limit 1
  for update of chain skip locked`;

/** Computes every hash anew in the database, so that a chain of millions does not travel. */
const checking = `
  with part as (
    select sequence, previous_hash, hash, body from metadata.audit_entry
    where workspace_id = $1 and sequence > $2 order by sequence limit $4
  ), linked as (
    select sequence, hash, case
        when sequence <> 1 + lag(sequence, 1, $2::bigint) over (order by sequence) then 'MISSING'
        when previous_hash <> lag(hash, 1, $3::bytea) over (order by sequence) then 'UNLINKED'
        when hash <> metadata.audit_hash(previous_hash, sequence, body) then 'CHANGED'
      end as fault
    from part
  ), bad as (
    select sequence, fault from linked where fault is not null order by sequence limit 1
  ), good as (
    select sequence, hash from linked
    where sequence < coalesce((select sequence from bad), 9223372036854775807)
  )
  select (select count(*) from good) as checked, bad.fault, bad.sequence as at,
    last_good.sequence as end_sequence, last_good.hash as end_hash
  from (select 1) one
  left join bad on true
  left join (select sequence, hash from good order by sequence desc limit 1) last_good on true`;

/** The chain, to which nobody else appends until the transaction ends; it begins here where there is none. */
async function locked(manager: EntityManager, workspaceId: string): Promise<ChainState> {
  const known = await stateOf(manager, workspaceId, 'for update');
  if (known) return known;
  await manager.query(`insert into metadata.audit_chain (workspace_id) values ($1) on conflict do nothing`, [
    workspaceId,
  ]);
  return (await stateOf(manager, workspaceId, 'for update')) ?? empty;
}

async function stateOf(
  manager: EntityManager,
  workspaceId: string,
  lock: '' | 'for update',
): Promise<ChainState | undefined> {
  const [row] = await manager.query<StateRow[]>(
    `select anchor_sequence, anchor_hash, last_sequence, last_hash, retention_days
     from metadata.audit_chain where workspace_id = $1 ${lock}`,
    [workspaceId],
  );
  return (
    row && {
      anchor: { sequence: Number(row.anchor_sequence), hash: row.anchor_hash },
      last: { sequence: Number(row.last_sequence), hash: row.last_hash },
      retentionDays: row.retention_days ?? undefined,
    }
  );
}
