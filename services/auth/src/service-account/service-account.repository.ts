import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { escapeLike, type ParsedPage } from '#libs/database';
import { newId } from '#libs/kernel';
import { keyOf } from '../input/text.js';
import type { Transaction } from '../transaction/transaction.repository.js';
import { userColumns, type UserOrder } from '../user/user.repository.js';
import { GroupRepository } from '../user/group.repository.js';
import type { NewUser, UserRow } from '../user/user.types.js';

export type NewServiceAccount = Pick<NewUser, 'name' | 'roleNames' | 'groupNames' | 'attributes'>;

/** Service accounts in PostgreSQL: users of another kind, without an address and a password. */
@Injectable()
export class ServiceAccountRepository {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly groups: GroupRepository,
  ) {}

  find(workspaceId: string, ids: readonly string[]): Promise<UserRow[]> {
    return this.database.query<UserRow[]>(
      `select ${userColumns} from auth.user_account u
       where u.workspace_id = $1 and u.id = any ($2::text[]) and u.kind = 'SERVICE'`,
      [workspaceId, ids],
    );
  }

  /** Alphabetical. */
  async list(
    workspaceId: string,
    search: string | undefined,
    page: ParsedPage<UserOrder>,
  ): Promise<{ rows: UserRow[]; totalCount: number }> {
    const pattern = search === undefined ? null : `%${escapeLike(search)}%`;
    const filter = `u.workspace_id = $1 and u.kind = 'SERVICE' and ($2::text is null or u.name_key like $2)`;
    const [afterName, afterId] = page.after ?? [null, null];
    const [rows, counted] = await Promise.all([
      this.database.query<UserRow[]>(
        `select ${userColumns} from auth.user_account u
         where ${filter} and ($3::text is null or (u.name_key, u.id) > ($3, $4))
         order by u.name_key, u.id limit $5`,
        [workspaceId, pattern, afterName, afterId, page.limit],
      ),
      this.database.query<{ count: string }[]>(`select count(*) from auth.user_account u where ${filter}`, [
        workspaceId,
        pattern,
      ]),
    ]);
    return { rows, totalCount: Number(counted[0]?.count ?? 0) };
  }

  async insert(transaction: Transaction, workspaceId: string, account: NewServiceAccount): Promise<UserRow> {
    const { name, roleNames, groupNames, attributes } = account;
    const key = { workspaceId, id: newId('serviceAccount') };
    await transaction.query(
      `insert into auth.user_account (id, workspace_id, kind, name, name_key, role_names, attributes)
       values ($1, $2, 'SERVICE', $3, $4, $5, $6)`,
      [key.id, workspaceId, name, keyOf(name), roleNames, attributes],
    );
    await this.groups.setOf(transaction, key, groupNames);
    const [row] = await transaction.query<UserRow[]>(`select ${userColumns} from auth.user_account u where u.id = $1`, [
      key.id,
    ]);
    if (!row) throw new Error('an insert leaves its row');
    return row;
  }
}
