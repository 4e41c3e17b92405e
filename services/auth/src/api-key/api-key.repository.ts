import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { escapeLike, type ParsedPage } from '#libs/database';
import type { Permission, Reach } from '#libs/identity';
import { newId } from '#libs/kernel';
import type { Transaction } from '../transaction/transaction.repository.js';
import type { UserKey } from '../user/user.types.js';
import type { NewSecret } from './api-key-secret.js';

export interface ApiKeyRow {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  /** Null: all that its maker may do. A permission of a newer release may be among them. */
  readonly permissions: string[] | null;
  /** Null, both: it is confined to nothing. */
  readonly dataSourceIds: string[] | null;
  readonly savedQueryIds: string[] | null;
  /** Null: it may be used from anywhere. */
  readonly networks: string[] | null;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly lastUsedAt: Date | null;
}

export interface StoredSecret {
  readonly id: string;
  readonly owner: UserKey;
  readonly secretHash: Buffer;
}

export interface NewApiKey {
  readonly name: string;
  readonly permissions: readonly Permission[] | undefined;
  readonly reach: Reach | undefined;
  readonly networks: readonly string[] | undefined;
  readonly expiresAt: Date | undefined;
  readonly makerKeyId: string | undefined;
  readonly secret: NewSecret;
}

/** As the audit log names it. */
export interface RevokedKey {
  readonly id: string;
  readonly name: string;
  readonly userId: string;
}

/** Whose keys one sees beside one's own. */
export interface Manages {
  readonly serviceAccounts: boolean;
  readonly persons: boolean;
}

const columns = `
  id, name, prefix, permissions, data_source_ids as "dataSourceIds", saved_query_ids as "savedQueryIds", networks,
  created_at as "createdAt", expires_at as "expiresAt", last_used_at as "lastUsedAt"`;
const good = `revoked_at is null and (expires_at is null or expires_at > now())`;

/** API keys in PostgreSQL. Those that were revoked are kept, and seen by nobody. */
@Injectable()
export class ApiKeyRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /** The owner's, and those of service accounts and of persons for one who manages them. */
  find(
    { workspaceId, id }: UserKey,
    ids: readonly string[],
    manages: Manages,
    on: Transaction = this.database.manager,
  ): Promise<ApiKeyRow[]> {
    return on.query<ApiKeyRow[]>(
      `select ${columns} from auth.api_key
       where workspace_id = $1
         and (user_id = $2 or ($4 and user_id like 'svc\\_%') or ($5 and user_id like 'usr\\_%'))
         and id = any ($3::text[]) and revoked_at is null`,
      [workspaceId, id, ids, manages.serviceAccounts, manages.persons],
    );
  }

  /** The newest first. Expired ones are in it, so that their owner sees why they no longer work. */
  async list(
    { workspaceId, id }: UserKey,
    search: string | undefined,
    page: ParsedPage<readonly ['string']>,
  ): Promise<{ rows: ApiKeyRow[]; totalCount: number }> {
    const pattern = search === undefined ? null : `%${escapeLike(search)}%`;
    const filter = `workspace_id = $1 and user_id = $2 and revoked_at is null
      and ($3::text is null or name ilike $3 or prefix ilike $3)`;
    const [rows, counted] = await Promise.all([
      this.database.query<ApiKeyRow[]>(
        `select ${columns} from auth.api_key where ${filter} and ($4::text is null or id < $4)
         order by id desc limit $5`,
        [workspaceId, id, pattern, page.after?.[0] ?? null, page.limit],
      ),
      this.database.query<{ count: string }[]>(`select count(*) from auth.api_key where ${filter}`, [
        workspaceId,
        id,
        pattern,
      ]),
    ]);
    return { rows, totalCount: Number(counted[0]?.count ?? 0) };
  }

  async insert(transaction: Transaction, { workspaceId, id }: UserKey, key: NewApiKey): Promise<ApiKeyRow> {
    const [row] = await transaction.query<ApiKeyRow[]>(
      `insert into auth.api_key
         (id, workspace_id, user_id, maker_key_id, name, prefix, secret_hash, permissions, expires_at,
          data_source_ids, saved_query_ids, networks)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) returning ${columns}`,
      [
        ...[newId('apiKey'), workspaceId, id, key.makerKeyId ?? null, key.name],
        ...[key.secret.prefix, key.secret.hash, key.permissions ?? null, key.expiresAt ?? null],
        ...[key.reach?.dataSourceIds ?? null, key.reach?.savedQueryIds ?? null, key.networks ?? null],
      ],
    );
    if (!row) throw new Error('an insert returns its row');
    return row;
  }

  async isMadeWith(id: string, makerKeyId: string): Promise<boolean> {
    const rows = await this.database.query<unknown[]>(
      `select 1 from auth.api_key where id = $1 and maker_key_id = $2`,
      [id, makerKeyId],
    );
    return rows.length > 0;
  }

  /** Whose key it is. */
  async ownerOf(workspaceId: string, id: string): Promise<UserKey | undefined> {
    const [row] = await this.database.query<{ userId: string }[]>(
      `select user_id as "userId" from auth.api_key where workspace_id = $1 and id = $2 and revoked_at is null`,
      [workspaceId, id],
    );
    return row && { workspaceId, id: row.userId };
  }

  /** By the prefix of its secret, or of one that it had before and that still works. */
  async findSecret(prefix: string): Promise<StoredSecret | undefined> {
    const [row] = await this.database.query<{ id: string; workspaceId: string; userId: string; secretHash: Buffer }[]>(
      `select id, workspace_id as "workspaceId", user_id as "userId", secret_hash as "secretHash"
       from auth.api_key where prefix = $1 and ${good}
       union all
       select k.id, k.workspace_id, k.user_id, r.secret_hash
       from auth.retired_api_key_secret r join auth.api_key k on k.id = r.api_key_id
       where r.prefix = $1 and r.good_until > now() and ${good}`,
      [prefix],
    );
    if (!row) return undefined;
    const { id, workspaceId, userId, secretHash } = row;
    return { id, owner: { workspaceId, id: userId }, secretHash };
  }

  /** A key that is good, which nobody revokes until the transaction ends. */
  async lockGood(transaction: Transaction, id: string): Promise<ApiKeyRow | undefined> {
    const [row] = await transaction.query<ApiKeyRow[]>(
      `select ${columns} from auth.api_key where id = $1 and ${good} for share`,
      [id],
    );
    return row;
  }

  /** Of uses that follow each other closely only the first is written. */
  async touch(id: string): Promise<void> {
    await this.database.query(
      `update auth.api_key set last_used_at = now()
       where id = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')`,
      [id],
    );
  }

  /** Revokes one of the owner's keys, and the keys that were made with it. @returns all of them */
  async revoke(transaction: Transaction, { workspaceId, id: userId }: UserKey, id: string): Promise<RevokedKey[]> {
    const found = await transaction.query<unknown[]>(
      `select 1 from auth.api_key
       where id = $1 and workspace_id = $2 and user_id = $3 and revoked_at is null for update`,
      [id, workspaceId, userId],
    );
    if (found.length === 0) return [];
    const all: RevokedKey[] = [];
    // Each round locks what it finds, so that a key which one of them is making meanwhile is found by the next.
    for (;;) {
      const revoked = await this.revokeMade(transaction, id);
      if (revoked.length === 0) return all;
      all.push(...revoked);
    }
  }

  private async revokeMade(transaction: Transaction, id: string): Promise<RevokedKey[]> {
    const [revoked] = await transaction.query<[RevokedKey[], number]>(
      `with recursive made as (
         select id from auth.api_key where id = $1
         union
         select k.id from auth.api_key k join made on k.maker_key_id = made.id
       )
       update auth.api_key k set revoked_at = now() from made where k.id = made.id and k.revoked_at is null
       returning k.id, k.name, k.user_id as "userId"`,
      [id],
    );
    return revoked;
  }
}
