import { Injectable } from '@nestjs/common';
import { AppError } from '#libs/kernel';
import type { Transaction } from '../transaction/transaction.repository.js';
import { userColumns } from './user.repository.js';
import type { UserKey, UserRow } from './user.types.js';

/** A group as a caller names it: within a workspace. */
export type GroupKey = UserKey;

/** As everywhere: all names of one user's groups travel in each of its tokens. */
const groupsMax = 50;
const groupBytesMax = 3_000;

const people = ['PERSON'];
const everyone = ['PERSON', 'SERVICE'];

/** Who is in which group. Members are locked in the order of their ids, as by all who lock several. */
@Injectable()
export class GroupMemberRepository {
  /** The members among these ids, or all of them: people, as they are until the transaction ends. */
  async lockUsers(transaction: Transaction, workspaceId: string, ids: readonly string[]): Promise<UserRow[]> {
    const locked = await lockAccounts(transaction, workspaceId, ids, people);
    // A statement of its own, whose snapshot is newer than the lock.
    return transaction.query<UserRow[]>(
      `select ${userColumns} from auth.user_account u where u.workspace_id = $1 and u.id = any ($2::text[])`,
      [workspaceId, locked],
    );
  }

  /** @param path of the ids in the input @returns who was not in it */
  async add(
    transaction: Transaction,
    { workspaceId, id }: GroupKey,
    userIds: readonly string[],
    path: readonly string[] = ['members'],
  ): Promise<string[]> {
    const known = await lockAccounts(transaction, workspaceId, userIds, people);
    if (known.length < new Set(userIds).size) {
      throw new AppError('auth.user_not_found', 'There is no user of one of these ids.', { path });
    }
    const added = await transaction.query<{ user_id: string }[]>(
      `insert into auth.user_group_member (workspace_id, user_id, group_id)
       select $1, user_id, $2 from unnest($3::text[]) as user_id on conflict do nothing returning user_id`,
      [workspaceId, id, known],
    );
    const addedIds = added.map((row) => row.user_id);
    await refuseTooMany(transaction, addedIds, path);
    await raise(transaction, addedIds);
    return addedIds;
  }

  /** @param userIds undefined: all people @returns who was in it */
  remove(transaction: Transaction, key: GroupKey, userIds: readonly string[] | undefined): Promise<string[]> {
    return removeOf(transaction, key, userIds, people);
  }

  /** Service accounts too, before the group goes. @returns who was in it */
  removeEveryone(transaction: Transaction, key: GroupKey): Promise<string[]> {
    return removeOf(transaction, key, undefined, everyone);
  }
}

async function removeOf(
  transaction: Transaction,
  { workspaceId, id }: GroupKey,
  userIds: readonly string[] | undefined,
  kinds: readonly string[],
): Promise<string[]> {
  const members = await transaction.query<{ user_id: string }[]>(
    `select user_id from auth.user_group_member where group_id = $1 and ($2::text[] is null or user_id = any ($2))`,
    [id, userIds ?? null],
  );
  const ids = members.map((row) => row.user_id);
  const locked = await lockAccounts(transaction, workspaceId, ids, kinds);
  const [removed] = await transaction.query<[{ user_id: string }[], number]>(
    `delete from auth.user_group_member where group_id = $1 and user_id = any ($2::text[]) returning user_id`,
    [id, locked],
  );
  const removedIds = removed.map((row) => row.user_id);
  await raise(transaction, removedIds);
  return removedIds;
}

async function lockAccounts(
  transaction: Transaction,
  workspaceId: string,
  ids: readonly string[],
  kinds: readonly string[],
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

async function refuseTooMany(transaction: Transaction, ids: readonly string[], path: readonly string[]): Promise<void> {
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
    { path },
  );
}
