import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { AuditFilter } from '#libs/contracts';
import { escapeLike, ReplicaReader, type ParsedPage } from '#libs/database';

/** An entry at its place, as it is kept. */
export interface StoredAuditEntry {
  readonly sequence: number;
  readonly previousHash: Buffer;
  readonly hash: Buffer;
  readonly body: string;
}

type Row = Omit<StoredAuditEntry, 'sequence'> & { sequence: string };

const columns = `sequence, previous_hash as "previousHash", hash, body`;

/** Reading the entries of a workspace. */
@Injectable()
export class AuditEntryRepository {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly replica: ReplicaReader,
  ) {}

  /** Newest first. */
  async list(
    workspaceId: string,
    filter: AuditFilter,
    page: ParsedPage<readonly ['number']>,
  ): Promise<StoredAuditEntry[]> {
    const { condition, values } = conditionOf(workspaceId, filter);
    const statement = `select ${columns} from metadata.audit_entry
       where ${condition} and sequence < $${values.length + 1} order by sequence desc limit $${values.length + 2}`;
    const parameters = [...values, page.after?.[0] ?? Number.MAX_SAFE_INTEGER, page.limit];
    const rows = await this.replica.read((on) => on.query<Row[]>(statement, parameters));
    return rows.map(toStored);
  }

  /** In the order of the chain: up to `count` entries, and no more of them than have about `charactersMax` together. */
  async after(
    workspaceId: string,
    filter: AuditFilter,
    sequence: number,
    { count, charactersMax }: { count: number; charactersMax: number },
  ): Promise<StoredAuditEntry[]> {
    const { condition, values } = conditionOf(workspaceId, filter);
    const next = values.length + 1;
    const rows = await this.database.query<Row[]>(
      `select sequence, "previousHash", hash, body from (
         select *, sum(length(body)) over (order by sequence) - length(body) as before from (
           select ${columns} from metadata.audit_entry
           where ${condition} and sequence > $${next} order by sequence limit $${next + 1}
         ) first_ones
       ) measured where before < $${next + 2} order by sequence`,
      [...values, sequence, count, charactersMax],
    );
    return rows.map(toStored);
  }
}

function toStored(row: Row): StoredAuditEntry {
  return { ...row, sequence: Number(row.sequence) };
}

function conditionOf(workspaceId: string, filter: AuditFilter): { condition: string; values: unknown[] } {
  const values: unknown[] = [];
  const conditions: string[] = [];
  const where = (test: (place: string) => string, value: unknown): void => {
    if (value === undefined) return;
    values.push(value);
    conditions.push(test(`$${values.length}`));
  };
  const { actorId, action, targetType, targetId, from, to, search, outcome } = filter;
  where((at) => `workspace_id = ${at}`, workspaceId);
  where((at) => `actor_id = ${at}`, actorId);
  where((at) => (action?.endsWith('.') ? `starts_with(action, ${at})` : `action = ${at}`), action);
  where((at) => `target_type = ${at}`, targetType);
  where((at) => `target_id = ${at}`, targetId);
  where((at) => `outcome = ${at}`, outcome);
  where((at) => `occurred_at >= ${at}`, from?.toISOString());
  where((at) => `occurred_at < ${at}`, to?.toISOString());
  where((at) => `body ilike ${at}`, search === undefined ? undefined : `%${escapeLike(search)}%`);
  return { condition: conditions.join(' and '), values };
}
