import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { ResponseOf, ScimGroup, scimRequests } from '#libs/contracts';
import { AppError, isId, newId } from '#libs/kernel';
import type { Transaction } from '../transaction/transaction.repository.js';
import { filterToSql, type FilterColumns } from './scim-filter.js';
import type { ScimPage } from './scim.types.js';

interface GroupKey {
  readonly workspaceId: string;
  readonly id: string;
}

interface Row extends Omit<ScimGroup, 'externalId'> {
  externalId: string | null;
}

const columns = `g.id, g.name as "displayName", g.external_id as "externalId", g.version, g.created_at as "createdAt",
  g.updated_at as "updatedAt",
  (select count(*)::integer from auth.user_group_member m where m.group_id = g.id) as "memberCount"`;

const filters: FilterColumns = {
  id: { sql: 'g.id', type: 'exact' },
  externalid: { sql: 'g.external_id', type: 'exact' },
  displayname: { sql: 'g.name', type: 'text' },
  'meta.created': { sql: 'g.created_at', type: 'time' },
  'meta.lastmodified': { sql: 'g.updated_at', type: 'time' },
};

const membersAtOnce = 1_000;
/** As everywhere: all names of one user's groups travel in each of its tokens. */
const groupsMax = 50;
const groupBytesMax = 3_000;

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

  /** Users are locked in the order of their ids, as by all who lock several. @returns who was not in it */
  async addMembers(transaction: Transaction, key: GroupKey, userIds: readonly string[]): Promise<string[]> {
    const { workspaceId, id } = key;
    const known = await lockUsers(transaction, workspaceId, userIds);
    if (known.length < new Set(userIds).size) {
      throw new AppError('auth.user_not_found', 'There is no user of one of these ids.', { path: ['members'] });
    }
    const added = await transaction.query<{ user_id: string }[]>(
      `insert into auth.user_group_member (workspace_id, user_id, group_id)
       select $1, user_id, $2 from unnest($3::text[]) as user_id on conflict do nothing returning user_id`,
      [workspaceId, id, known],
    );
    const addedIds = added.map((row) => row.user_id);
    await refuseTooMany(transaction, addedIds);
    await raise(transaction, addedIds);
    return addedIds;
  }

  /** @param userIds undefined: all @returns who was in it */
  async removeMembers(
    transaction: Transaction,
    { workspaceId, id }: GroupKey,
    userIds: readonly string[] | undefined,
    kinds: readonly ('PERSON' | 'SERVICE')[] = ['PERSON'],
  ): Promise<string[]> {
    const members = await transaction.query<{ user_id: string }[]>(
      `select user_id from auth.user_group_member where group_id = $1 and ($2::text[] is null or user_id = any ($2))`,
      [id, userIds ?? null],
    );
    const locked = await lockUsers(
      transaction,
      workspaceId,
      members.map((row) => row.user_id),
      kinds,
    );
    const [removed] = await transaction.query<[{ user_id: string }[], number]>(
      `delete from auth.user_group_member where group_id = $1 and user_id = any ($2::text[]) returning user_id`,
      [id, locked],
    );
    const removedIds = removed.map((row) => row.user_id);
    await raise(transaction, removedIds);
    return removedIds;
  }
}

async function lockUsers(
  transaction: Transaction,
  workspaceId: string,
  ids: readonly string[],
  kinds: readonly ('PERSON' | 'SERVICE')[] = ['PERSON'],
): Promise<string[]> {
  const rows = await transaction.query<{ id: string }[]>(
    `select id from auth.user_account
     where workspace_id = $1 and id = any ($2::text[]) and kind = any ($3::text[]) order by id for update`,
    [workspaceId, ids, kinds],
  );
  return rows.map((row) => row.id);
}

async function raise(transaction: Transaction, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await transaction.query(
    `update auth.user_account set version = version + 1, updated_at = now() where id = any ($1::text[])`,
    [ids],
  );
}

async function refuseTooMany(transaction: Transaction, ids: readonly string[]): Promise<void> {
  const over = await transaction.query<{ user_id: string }[]>(
    `select m.user_id from auth.user_group_member m join auth.user_group g on g.id = m.group_id
     where m.user_id = any ($1::text[]) group by m.user_id
     having count(*) > ${groupsMax} or sum(octet_length(g.name)) > ${groupBytesMax} limit 1`,
    [ids],
  );
  if (!over[0]) return;
  throw new AppError(
    'input.too_large',
    `A user is in at most ${groupsMax} groups, of ${groupBytesMax} bytes of names.`,
    {
      path: ['members'],
    },
  );
}

function toScimGroup(row: Row): ScimGroup {
  return { ...row, externalId: row.externalId ?? undefined };
}
