import { Injectable } from '@nestjs/common';
import { AuditRepository } from '#libs/database';
import { newId } from '#libs/kernel';
import type { Transaction } from '../transaction/transaction.repository.js';
import type { UserKey } from './user.types.js';

/** Groups of a workspace. One is made when it is first named, and stays. */
@Injectable()
export class GroupRepository {
  constructor(private readonly audit: AuditRepository) {}

  /** Makes those that nobody has named yet. */
  async ensure(transaction: Transaction, workspaceId: string, names: readonly string[]): Promise<void> {
    // In one order, so that two who name the same new groups do not wait for each other.
    const sorted = names.toSorted();
    const made = await transaction.query<{ id: string; name: string }[]>(
      `insert into auth.user_group (id, workspace_id, name)
       select id, $1, name from unnest($2::text[], $3::text[]) as named (id, name)
       on conflict on constraint user_group_name_key do nothing returning id, name`,
      [workspaceId, sorted.map(() => newId('group')), sorted],
    );
    const records = made.map(({ id, name }) => ({
      action: 'group.created',
      target: { type: 'group', id, name },
      workspaceId,
    }));
    await this.audit.add(transaction, ...records);
  }

  /** Makes these the groups of a user. */
  async setOf(transaction: Transaction, { workspaceId, id }: UserKey, names: readonly string[]): Promise<void> {
    await this.ensure(transaction, workspaceId, names);
    await transaction.query(`delete from auth.user_group_member where user_id = $1`, [id]);
    await transaction.query(
      `insert into auth.user_group_member (workspace_id, user_id, group_id)
       select workspace_id, $2, id from auth.user_group where workspace_id = $1 and name = any ($3::text[])`,
      [workspaceId, id, [...names]],
    );
  }
}
