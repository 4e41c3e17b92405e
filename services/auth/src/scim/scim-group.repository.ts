import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { ResponseOf, ScimGroup, scimRequests } from '#libs/contracts';
import { AppError, isId, newId } from '#libs/kernel';
import type { Transaction } from '../transaction/transaction.repository.js';
import type { GroupKey } from '../user/group-member.repository.js';
import { filterToSql, type FilterColumns } from './scim-filter.js';
import type { ScimPage } from './scim.types.js';

interface Row extends Omit<ScimGroup, 'externalId'> {
  externalId: string | null;
}

const columns = `g.id, g.name as "displayName", g.external_id as "externalId", g.version, g.created_at as "createdAt",
  g.updated_at as "updatedAt",
  (select count(*)::integer from auth.user_group_member m
   join auth.user_account u on u.id = m.user_id and u.kind = 'PERSON' where m.group_id = g.id) as "memberCount"`;

const filters: FilterColumns = {
  id: { sql: 'g.id', type: 'exact' },
  externalid: { sql: 'g.external_id', type: 'exact' },
  displayname: { sql: 'g.name', type: 'text' },
  'meta.created': { sql: 'g.created_at', type: 'time' },
  'meta.lastmodified': { sql: 'g.updated_at', type: 'time' },
};

const membersAtOnce = 1_000;

/** Groups and their members as an identity provider sees them. */
@Injectable()
export class ScimGroupRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  async list(
    workspaceId: string,
    { filter, startIndex, count }: ScimPage,
  ): Promise<{ groups: ScimGroup[]; total: number }> {
    const condition = filter === undefined ? { sql: 'true', values: [] } : filterToSql(filter, filters, 2);
    const values = [workspaceId, ...condition.values];
    const where = `g.workspace_id = $1 and (${condition.sql})`;
    const next = values.length + 1;
    const [rows, counted] = await Promise.all([
      this.database.query<Row[]>(
        `select ${columns} from auth.user_group g where ${where} order by g.id offset $${next} limit $${next + 1}`,
        [...values, startIndex - 1, count],
      ),
      this.database.query<{ count: string }[]>(`select count(*) from auth.user_group g where ${where}`, values),
    ]);
    return { groups: rows.map(toScimGroup), total: Number(counted[0]?.count ?? 0) };
  }

  /** In the order of their ids. */
  members(
    { workspaceId, id }: GroupKey,
    afterId: string,
  ): Promise<ResponseOf<typeof scimRequests.listScimMembers>['members']> {
    return this.database.query(
      `select u.id, u.name from auth.user_group_member m join auth.user_account u on u.id = m.user_id
       where m.workspace_id = $1 and m.group_id = $2 and u.kind = 'PERSON' and u.id > $3 order by u.id limit ${membersAtOnce}`,
      [workspaceId, id, afterId],
    );
  }

  /** The group, which nobody else changes until the transaction ends. @throws AppError `auth.group_not_found` */
  async lock(transaction: Transaction, { workspaceId, id }: GroupKey): Promise<ScimGroup> {
    await transaction.query(`select 1 from auth.user_group where workspace_id = $1 and id = $2 for update`, [
      workspaceId,
      id,
    ]);
    const rows = isId('group', id)
      ? await transaction.query<Row[]>(
          `select ${columns} from auth.user_group g where g.workspace_id = $1 and g.id = $2`,
          [workspaceId, id],
        )
      : [];
    if (!rows[0]) throw new AppError('auth.group_not_found', 'There is no such group.', { path: ['id'] });
    return toScimGroup(rows[0]);
  }

  /** @throws AppError `entity.name_taken` */
  async insert(
    transaction: Transaction,
    workspaceId: string,
    { name, externalId }: { name: string; externalId: string | undefined },
  ): Promise<GroupKey> {
    const id = newId('group');
    const inserted = await transaction.query<unknown[]>(
      `insert into auth.user_group (id, workspace_id, name, external_id) values ($1, $2, $3, $4)
       on conflict on constraint user_group_name_key do nothing returning 1`,
      [id, workspaceId, name, externalId ?? null],
    );
    if (inserted.length === 0) {
      throw new AppError('entity.name_taken', 'A group of this name is there already.', { path: ['displayName'] });
    }
    return { workspaceId, id };
  }

  async touch(transaction: Transaction, { id }: GroupKey, externalId: string | undefined): Promise<void> {
    await transaction.query(
      `update auth.user_group set version = version + 1, updated_at = now(), external_id = coalesce($2, external_id)
       where id = $1`,
      [id, externalId ?? null],
    );
  }

  async delete(transaction: Transaction, { id }: GroupKey): Promise<void> {
    await transaction.query(`delete from auth.user_group where id = $1`, [id]);
  }
}

function toScimGroup(row: Row): ScimGroup {
  return { ...row, externalId: row.externalId ?? undefined };
}
