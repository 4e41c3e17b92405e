import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { Group } from '#libs/contracts';
import { escapeLike, type ParsedPage } from '#libs/database';
import { AppError, isId, newId } from '#libs/kernel';
import type { Transaction } from '../transaction/transaction.repository.js';
import type { GroupKey } from './group-member.repository.js';
import { userColumns, type UserOrder } from './user.repository.js';
import type { UserRow } from './user.types.js';

const personOf = `from auth.user_group_member m join auth.user_account u on u.id = m.user_id and u.kind = 'PERSON'`;
const columns = `g.id, g.name, g.created_at as "createdAt",
  (select count(*)::integer ${personOf} where m.group_id = g.id) as "memberCount"`;

/** Groups as administrators see them. */
@Injectable()
export class ManagedGroupRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  find(workspaceId: string, ids: readonly string[]): Promise<Group[]> {
    return this.database.query<Group[]>(
      `select ${columns} from auth.user_group g where g.workspace_id = $1 and g.id = any ($2::text[])`,
      [workspaceId, ids],
    );
  }

  /** Alphabetical. */
  async list(
    workspaceId: string,
    search: string | undefined,
    page: ParsedPage<readonly ['string']>,
  ): Promise<{ rows: Group[]; totalCount: number }> {
    const filter = `g.workspace_id = $1 and ($2::text is null or g.name ilike $2)`;
    const pattern = search === undefined ? null : `%${escapeLike(search)}%`;
    const [rows, counted] = await Promise.all([
      this.database.query<Group[]>(
        `select ${columns} from auth.user_group g
         where ${filter} and ($3::text is null or g.name > $3) order by g.name limit $4`,
        [workspaceId, pattern, page.after?.[0] ?? null, page.limit],
      ),
      this.database.query<{ count: string }[]>(`select count(*) from auth.user_group g where ${filter}`, [
        workspaceId,
        pattern,
      ]),
    ]);
    return { rows, totalCount: Number(counted[0]?.count ?? 0) };
  }

  /** People, alphabetical. */
  async members(
    { workspaceId, id }: GroupKey,
    page: ParsedPage<UserOrder>,
  ): Promise<{ rows: UserRow[]; totalCount: number }> {
    const filter = `m.workspace_id = $1 and m.group_id = $2`;
    const [afterName, afterId] = page.after ?? [null, null];
    const [rows, counted] = await Promise.all([
      this.database.query<UserRow[]>(
        `select ${userColumns} ${personOf} where ${filter} and ($3::text is null or (u.name_key, u.id) > ($3, $4))
         order by u.name_key, u.id limit $5`,
        [workspaceId, id, afterName, afterId, page.limit],
      ),
      this.database.query<{ count: string }[]>(`select count(*) ${personOf} where ${filter}`, [workspaceId, id]),
    ]);
    return { rows, totalCount: Number(counted[0]?.count ?? 0) };
  }

  /** @throws AppError `entity.name_taken` */
  async insert(transaction: Transaction, workspaceId: string, name: string): Promise<Group> {
    const id = newId('group');
    const inserted = await transaction.query<unknown[]>(
      `insert into auth.user_group (id, workspace_id, name) values ($1, $2, $3)
       on conflict on constraint user_group_name_key do nothing returning 1`,
      [id, workspaceId, name],
    );
    if (inserted.length === 0) throw await nameTaken(transaction, workspaceId, name);
    return this.read(transaction, id);
  }

  /** The group, which nobody else changes until the transaction ends. @throws AppError `auth.group_not_found` */
  async lock(transaction: Transaction, { workspaceId, id }: GroupKey): Promise<Group> {
    const locked =
      isId('group', id) &&
      (await transaction.query<unknown[]>(
        `select 1 from auth.user_group where workspace_id = $1 and id = $2 for update`,
        [workspaceId, id],
      ));
    if (!locked || locked.length === 0) {
      throw new AppError('auth.group_not_found', 'There is no such group.', { path: ['id'] });
    }
    return this.read(transaction, id);
  }

  /** Of a group whose members were changed. */
  async touch(transaction: Transaction, id: string): Promise<Group> {
    await transaction.query(`update auth.user_group set version = version + 1, updated_at = now() where id = $1`, [id]);
    return this.read(transaction, id);
  }

  async delete(transaction: Transaction, id: string): Promise<void> {
    await transaction.query(`delete from auth.user_group where id = $1`, [id]);
  }

  /** An identity provider whose rules put users into the group of this name. */
  async providerNaming(transaction: Transaction, workspaceId: string, name: string): Promise<string | undefined> {
    const [row] = await transaction.query<{ name: string }[]>(
      `select name from auth.identity_provider where workspace_id = $1 and jsonb_path_exists(
         rules, '$.groups.map[*].groups[*] ? (@ == $name)', jsonb_build_object('name', $2::text))
       order by name limit 1`,
      [workspaceId, name],
    );
    return row?.name;
  }

  private async read(transaction: Transaction, id: string): Promise<Group> {
    const [row] = await transaction.query<Group[]>(`select ${columns} from auth.user_group g where g.id = $1`, [id]);
    if (!row) throw new Error('a group is gone within its own transaction');
    return row;
  }
}

async function nameTaken(transaction: Transaction, workspaceId: string, name: string): Promise<AppError> {
  const [taken] = await transaction.query<{ id: string }[]>(
    `select id from auth.user_group where workspace_id = $1 and name = $2`,
    [workspaceId, name],
  );
  return new AppError('entity.name_taken', 'A group of this name is there already.', {
    path: ['name'],
    ...(taken ? { details: { conflictId: taken.id } } : {}),
  });
}
