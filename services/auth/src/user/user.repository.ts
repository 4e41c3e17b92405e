import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { escapeLike, ReplicaReader, type ParsedPage } from '#libs/database';
import { AppError, isId, newId } from '#libs/kernel';
import { keyOf } from '../input/text.js';
import type { Transaction } from '../transaction/transaction.repository.js';
import { GroupRepository } from './group.repository.js';
import type { NewUser, UserChange, UserKey, UserRow } from './user.types.js';

export type UserOrder = readonly ['string', 'string'];

export interface SignInCandidate extends UserKey {
  readonly passwordHash: string;
}

/** A user who may have a token, and the time from which the token counts. */
export interface LockedUser {
  readonly user: UserRow;
  readonly issuedAt: Date;
}

export const userColumns = `
  u.id, u.workspace_id as "workspaceId", u.email, u.name, u.name_key as "nameKey", u.role_names as "roleNames",
  u.attributes, u.disabled, u.version, u.created_at as "createdAt",
  array(
    select distinct permission from auth.role r, unnest(r.permissions) as permission
    where r.workspace_id = u.workspace_id and r.name = any (u.role_names)
  ) as "customPermissions",
  array(
    select g.name from auth.user_group_member m join auth.user_group g on g.id = m.group_id
    where m.user_id = u.id order by g.name
  ) as "groupNames"`;

/** Users in PostgreSQL. */
@Injectable()
export class UserRepository {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly groups: GroupRepository,
    private readonly replica: ReplicaReader,
  ) {}

  find(workspaceId: string, ids: readonly string[]): Promise<UserRow[]> {
    return this.database.query<UserRow[]>(
      `select ${userColumns} from auth.user_account u where u.workspace_id = $1 and u.id = any ($2::text[])`,
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
    const filter = `u.workspace_id = $1 and u.kind = 'PERSON' and ($2::text is null or u.name_key like $2 or u.email like $2)`;
    const [afterName, afterId] = page.after ?? [null, null];
    return this.replica.read(async (on) => {
      const rows = await on.query<UserRow[]>(
        `select ${userColumns} from auth.user_account u
         where ${filter} and ($3::text is null or (u.name_key, u.id) > ($3, $4))
         order by u.name_key, u.id limit $5`,
        [workspaceId, pattern, afterName, afterId, page.limit],
      );
      const counted = await on.query<{ count: string }[]>(`select count(*) from auth.user_account u where ${filter}`, [
        workspaceId,
        pattern,
      ]);
      return { rows, totalCount: Number(counted[0]?.count ?? 0) };
    });
  }

  async isEmpty(transaction: Transaction): Promise<boolean> {
    const rows = await transaction.query<unknown[]>(`select 1 from auth.user_account limit 1`);
    return rows.length === 0;
  }

  /**
   * Those who could sign in with this address and a password, the oldest first: at most two, as two are one too many.
   * @param passwordWorkspaces slugs of those where passwords are good although single sign-on is enforced
   */
  findForSignIn(
    email: string,
    workspaceSlug: string | undefined,
    passwordWorkspaces: readonly string[],
  ): Promise<SignInCandidate[]> {
    return this.database.query<SignInCandidate[]>(
      `select u.id, u.workspace_id as "workspaceId", u.password_hash as "passwordHash"
       from auth.user_account u join auth.workspace w on w.id = u.workspace_id
       where u.email = $1 and ($2::text is null or w.slug = $2) and u.password_hash is not null and not u.disabled
         and (not w.sso_enforced or w.slug = any ($3::text[]))
       order by u.created_at, u.id limit 2`,
      [email, workspaceSlug ?? null, passwordWorkspaces],
    );
  }

  /** Whether the password is still the one that was proven, of a user who is locked. */
  async hasPasswordHash(transaction: Transaction, { id, passwordHash }: SignInCandidate): Promise<boolean> {
    const rows = await transaction.query<unknown[]>(
      `select 1 from auth.user_account where id = $1 and password_hash = $2`,
      [id, passwordHash],
    );
    return rows.length > 0;
  }

  /** The password's hash of an enabled user who has one. */
  async findPasswordHash(
    { workspaceId, id }: UserKey,
    transaction: Transaction = this.database.manager,
  ): Promise<string | undefined> {
    const [row] = await transaction.query<{ passwordHash: string }[]>(
      `select password_hash as "passwordHash" from auth.user_account
       where workspace_id = $1 and id = $2 and password_hash is not null and not disabled`,
      [workspaceId, id],
    );
    return row?.passwordHash;
  }

  async setPasswordHash(transaction: Transaction, userId: string, passwordHash: string): Promise<void> {
    await transaction.query(`update auth.user_account set password_hash = $2, updated_at = now() where id = $1`, [
      userId,
      passwordHash,
    ]);
  }

  async replacePasswordHash({ id }: UserKey, known: string, replacement: string): Promise<void> {
    await this.database.query(`update auth.user_account set password_hash = $3 where id = $1 and password_hash = $2`, [
      id,
      known,
      replacement,
    ]);
  }

  /**
   * An enabled user as a token is made of it. Nobody changes the user until the transaction ends, so a token has either
   * what the user was before a change, and its revocation comes later, or what the user is after it.
   */
  async lockForToken(transaction: Transaction, { workspaceId, id }: UserKey): Promise<LockedUser | undefined> {
    await transaction.query(`select 1 from auth.user_account where id = $1 for share`, [id]);
    // A statement of its own, whose snapshot is newer than the lock: it sees the groups as they are now, too.
    const [row] = await transaction.query<(UserRow & { issuedAt: Date })[]>(
      `select ${userColumns}, date_trunc('milliseconds', clock_timestamp()) as "issuedAt"
       from auth.user_account u where u.workspace_id = $1 and u.id = $2 and not u.disabled`,
      [workspaceId, id],
    );
    return row && { user: row, issuedAt: row.issuedAt };
  }

  /** @throws AppError `auth.email_taken` */
  async insert(transaction: Transaction, workspaceId: string, user: NewUser): Promise<UserRow> {
    const key = { workspaceId, id: newId('user') };
    const inserted = await transaction.query<unknown[]>(
      `insert into auth.user_account
         (id, workspace_id, email, name, name_key, password_hash, role_names, attributes)
       values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (workspace_id, email) do nothing returning 1`,
      [
        ...[key.id, workspaceId, user.email, user.name, keyOf(user.name), user.passwordHash ?? null],
        ...[user.roleNames, user.attributes],
      ],
    );
    if (inserted.length === 0) throw await this.emailTaken(transaction, workspaceId, user.email);
    await this.groups.setOf(transaction, key, user.groupNames);
    return this.read(transaction, key);
  }

  private async emailTaken(transaction: Transaction, workspaceId: string, email: string): Promise<AppError> {
    const [taken] = await transaction.query<{ id: string }[]>(
      `select id from auth.user_account where workspace_id = $1 and email = $2`,
      [workspaceId, email],
    );
    return new AppError('auth.email_taken', 'A user with this address is there already.', {
      path: ['email'],
      ...(taken ? { details: { conflictId: taken.id } } : {}),
    });
  }

  async findByEmail(transaction: Transaction, workspaceId: string, email: string): Promise<UserKey | undefined> {
    const [found] = await transaction.query<UserKey[]>(
      `select workspace_id as "workspaceId", id from auth.user_account where workspace_id = $1 and email = $2`,
      [workspaceId, email],
    );
    return found;
  }

  /**
   * The user, whom nobody else changes until the transaction ends.
   * @param field of the input, where the user is named
   * @throws AppError `auth.user_not_found`
   */
  async lock(transaction: Transaction, { workspaceId, id }: UserKey, field = 'id'): Promise<UserRow> {
    const locked =
      (isId('user', id) || isId('serviceAccount', id)) &&
      (await transaction.query<unknown[]>(
        `select 1 from auth.user_account where workspace_id = $1 and id = $2 for update`,
        [workspaceId, id],
      ));
    if (!locked || locked.length === 0)
      throw new AppError('auth.user_not_found', 'There is no such user.', { path: [field] });
    return this.read(transaction, { workspaceId, id });
  }

  /** A user who is locked already. */
  async readLocked(transaction: Transaction, key: UserKey): Promise<UserRow> {
    return this.read(transaction, key);
  }

  async update(transaction: Transaction, current: UserRow, change: UserChange): Promise<UserRow> {
    const { name, roleNames, attributes, disabled } = { ...current, ...change };
    await transaction.query(
      `update auth.user_account
       set name = $2, name_key = $3, role_names = $4, attributes = $5, disabled = $6,
         version = version + 1, updated_at = now()
       where id = $1`,
      [current.id, name, keyOf(name), roleNames, attributes, disabled],
    );
    if (change.groupNames) await this.groups.setOf(transaction, current, change.groupNames);
    return this.read(transaction, current);
  }

  /**
   * If the workspace would have an enabled administrator without this user. The workspace stays locked until the
   * transaction ends, so that two last ones cannot both leave.
   */
  async hasOtherAdministrator(transaction: Transaction, { workspaceId, id }: UserKey): Promise<boolean> {
    await transaction.query(`select 1 from auth.workspace where id = $1 for update`, [workspaceId]);
    const others = await transaction.query<unknown[]>(
      `select 1 from auth.user_account
       where workspace_id = $1 and id <> $2 and kind = 'PERSON' and not disabled and 'admin' = any (role_names) limit 1`,
      [workspaceId, id],
    );
    return others.length > 0;
  }

  private async read(transaction: Transaction, { id }: UserKey): Promise<UserRow> {
    const [row] = await transaction.query<UserRow[]>(`select ${userColumns} from auth.user_account u where u.id = $1`, [
      id,
    ]);
    if (!row) throw new Error('a user is gone within its own transaction');
    return row;
  }
}
