import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { Transaction } from '../transaction/transaction.repository.js';
import type { UserKey } from '../user/user.types.js';
import type { NewSecret } from './api-key-secret.js';

/** The secrets that API keys had before, for as long as they go on working. */
@Injectable()
export class ApiKeyRotationRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /** Gives a good key of the owner's a new secret. @returns false where there is no such key */
  async replaceSecret(
    transaction: Transaction,
    { workspaceId, id: userId }: UserKey,
    keyId: string,
    { secret, overlapSeconds }: { readonly secret: NewSecret; readonly overlapSeconds: number },
  ): Promise<boolean> {
    const [old] = await transaction.query<{ prefix: string; secretHash: Buffer }[]>(
      `select prefix, secret_hash as "secretHash" from auth.api_key
       where id = $1 and workspace_id = $2 and user_id = $3 and revoked_at is null
         and (expires_at is null or expires_at > now()) for update`,
      [keyId, workspaceId, userId],
    );
    if (!old) return false;
    // Of two rotations in a row the first old secret does not get more time by the second, nor less.
    await transaction.query(
      `insert into auth.retired_api_key_secret (prefix, api_key_id, secret_hash, good_until)
       values ($1, $2, $3, now() + $4 * interval '1 second')`,
      [old.prefix, keyId, old.secretHash, overlapSeconds],
    );
    await transaction.query(`update auth.api_key set prefix = $2, secret_hash = $3 where id = $1`, [
      ...[keyId, secret.prefix, secret.hash],
    ]);
    return true;
  }

  async deleteOld(): Promise<void> {
    await this.database.query(`delete from auth.retired_api_key_secret where good_until < now()`);
  }
}
