import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { queryPrepared } from '#libs/database';
import type { OpenProvider } from '../identity-provider/identity-provider.types.js';
import type { Transaction } from '../transaction/transaction.repository.js';
import { userColumns } from '../user/user.repository.js';
import type { UserKey, UserRow } from '../user/user.types.js';

/** Who the subjects of providers are. */
@Injectable()
export class ExternalIdentityRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /** Whose subject it is. */
  async findUser({ id }: OpenProvider, subject: string): Promise<UserRow | undefined> {
    const [row] = await queryPrepared<UserRow>(
      this.database,
      `select ${userColumns}
       from auth.external_identity i join auth.user_account u on u.id = i.user_id
       where i.provider_id = $1 and i.subject = $2`,
      [id, subject],
    );
    return row;
  }

  /** Of two first sign-ins of one subject the second waits here, and then finds the user that the first has made. */
  async lock(transaction: Transaction, { id }: OpenProvider, subject: string): Promise<void> {
    await transaction.query(`select pg_advisory_xact_lock(hashtextextended($1, 1))`, [`${id} ${subject}`]);
  }

  /** Whose subject it is, whom nobody else changes until the transaction ends. */
  async lockUser(transaction: Transaction, { id }: OpenProvider, subject: string): Promise<UserKey | undefined> {
    const [row] = await transaction.query<UserKey[]>(
      `select u.workspace_id as "workspaceId", u.id
       from auth.external_identity i join auth.user_account u on u.id = i.user_id
       where i.provider_id = $1 and i.subject = $2 for update of u`,
      [id, subject],
    );
    return row;
  }

  /** False where the user is another subject of this provider already. */
  async link(transaction: Transaction, provider: OpenProvider, subject: string, user: UserKey): Promise<boolean> {
    const inserted = await transaction.query<unknown[]>(
      `insert into auth.external_identity (provider_id, subject, workspace_id, user_id) values ($1, $2, $3, $4)
       on conflict on constraint external_identity_user_key do nothing returning 1`,
      [provider.id, subject, provider.workspaceId, user.id],
    );
    return inserted.length > 0;
  }
}
