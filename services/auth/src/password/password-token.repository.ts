import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { Transaction } from '../transaction/transaction.repository.js';
import type { UserKey } from '../user/user.types.js';
import type { PasswordTokenPurpose } from './password-token.js';

/** Tokens that set a password: at most one for each user, of which there is a hash. */
@Injectable()
export class PasswordTokenRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /** Takes the place of the token before it. */
  async replace(
    userId: string,
    token: { readonly hash: Buffer; readonly purpose: PasswordTokenPurpose; readonly ttlSeconds: number },
    transaction: Transaction,
  ): Promise<void> {
    await transaction.query(
      `insert into auth.password_token (user_id, hash, purpose, expires_at)
       values ($1, $2, $3, now() + $4 * interval '1 second')
       on conflict (user_id) do update
         set hash = excluded.hash, purpose = excluded.purpose, expires_at = excluded.expires_at`,
      [userId, token.hash, token.purpose, token.ttlSeconds],
    );
  }

  /** Whose it is, of an enabled user. */
  async find(hash: Buffer, transaction: Transaction = this.database.manager): Promise<UserKey | undefined> {
    const [row] = await transaction.query<UserKey[]>(
      `select u.id, u.workspace_id as "workspaceId"
       from auth.password_token t join auth.user_account u on u.id = t.user_id
       where t.hash = $1 and t.expires_at > now() and not u.disabled`,
      [hash],
    );
    return row;
  }

  async deleteOf(transaction: Transaction, userIds: readonly string[]): Promise<void> {
    await transaction.query(`delete from auth.password_token where user_id = any($1::text[])`, [userIds]);
  }

  async deleteOld(): Promise<void> {
    await this.database.query(`delete from auth.password_token where expires_at < now()`);
  }
}
