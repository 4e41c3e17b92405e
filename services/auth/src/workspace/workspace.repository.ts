import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { Workspace } from '#libs/contracts';
import type { WrappedDataKey } from '#libs/encryption';
import type { Transaction } from '../transaction/transaction.repository.js';

interface ListedDataKey extends WrappedDataKey {
  readonly id: string;
  readonly isOld: boolean;
}

@Injectable()
export class WorkspaceRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  async find(id: string): Promise<Workspace | undefined> {
    const [row] = await this.database.query<Required<Workspace>[]>(
      `select id, slug, name, created_at as "createdAt" from auth.workspace where id = $1`,
      [id],
    );
    return row;
  }

  async isSsoEnforced(id: string): Promise<boolean> {
    const [row] = await this.database.query<{ isEnforced: boolean }[]>(
      `select sso_enforced as "isEnforced" from auth.workspace where id = $1`,
      [id],
    );
    return row?.isEnforced === true;
  }

  /** @param passwordWorkspaces slugs of those where passwords are good although single sign-on is enforced */
  async isByPassword(transaction: Transaction, id: string, passwordWorkspaces: readonly string[]): Promise<boolean> {
    const rows = await transaction.query<unknown[]>(
      `select 1 from auth.workspace where id = $1 and (not sso_enforced or slug = any ($2::text[]))`,
      [id, passwordWorkspaces],
    );
    return rows.length > 0;
  }

  /** As it stays until the transaction ends. */
  async lockSsoEnforced(transaction: Transaction, id: string): Promise<boolean> {
    const [row] = await transaction.query<{ isEnforced: boolean }[]>(
      `select sso_enforced as "isEnforced" from auth.workspace where id = $1 for update`,
      [id],
    );
    return row?.isEnforced === true;
  }

  async setSsoEnforced(transaction: Transaction, id: string, isEnforced: boolean): Promise<void> {
    await transaction.query(`update auth.workspace set sso_enforced = $2 where id = $1`, [id, isEnforced]);
  }

  async insert(
    transaction: Transaction,
    workspace: { id: string; slug: string; name: string },
    { masterKeyId, wrappedKey }: WrappedDataKey,
  ): Promise<void> {
    await transaction.query(
      `insert into auth.workspace (id, slug, name, master_key_id, wrapped_key) values ($1, $2, $3, $4, $5)`,
      [workspace.id, workspace.slug, workspace.name, masterKeyId, wrappedKey],
    );
  }

  async findDataKey(id: string): Promise<WrappedDataKey | undefined> {
    const [row] = await this.database.query<WrappedDataKey[]>(
      `select master_key_id as "masterKeyId", wrapped_key as "wrappedKey" from auth.workspace where id = $1`,
      [id],
    );
    return row;
  }

  /** Changes the wrapping alone; the key is the same. */
  async replaceWrapping(id: string, known: WrappedDataKey, replacement: WrappedDataKey): Promise<void> {
    await this.database.query(
      `update auth.workspace set master_key_id = $3, wrapped_key = $4 where id = $1 and wrapped_key = $2`,
      [id, known.wrappedKey, replacement.masterKeyId, replacement.wrappedKey],
    );
  }

  /** Workspaces in the order of their ids, and whether the data key is as old as that. */
  async listDataKeys(after: string, limit: number, madeBefore: Date): Promise<ListedDataKey[]> {
    return this.database.query<ListedDataKey[]>(
      `select id, master_key_id as "masterKeyId", wrapped_key as "wrappedKey", data_key_made_at < $3 as "isOld"
       from auth.workspace where id collate "C" > $1 order by id collate "C" limit $2`,
      [after, limit, madeBefore],
    );
  }

  async isFirst(id: string): Promise<boolean> {
    const rows = await this.database.query<unknown[]>(
      `select 1 from (select id from auth.workspace order by created_at, id limit 1) first where first.id = $1`,
      [id],
    );
    return rows.length > 0;
  }

  async count(): Promise<number> {
    const [row] = await this.database.query<{ count: string }[]>(`select count(*) from auth.workspace`);
    return Number(row?.count ?? 0);
  }

  async replaceDataKey(id: string, known: WrappedDataKey, replacement: WrappedDataKey): Promise<void> {
    await this.database.query(
      `update auth.workspace set master_key_id = $3, wrapped_key = $4, data_key_made_at = now()
       where id = $1 and wrapped_key = $2`,
      [id, known.wrappedKey, replacement.masterKeyId, replacement.wrappedKey],
    );
  }

  async isSecondFactorRequired(id: string): Promise<boolean> {
    const [row] = await this.database.query<{ isRequired: boolean }[]>(
      `select second_factor_required as "isRequired" from auth.workspace where id = $1`,
      [id],
    );
    return row?.isRequired ?? false;
  }

  /** @returns whether it was required before */
  async requireSecondFactor(transaction: Transaction, id: string, isRequired: boolean): Promise<boolean> {
    const [before] = await transaction.query<{ wasRequired: boolean }[]>(
      `select second_factor_required as "wasRequired" from auth.workspace where id = $1 for update`,
      [id],
    );
    await transaction.query(`update auth.workspace set second_factor_required = $2 where id = $1`, [id, isRequired]);
    return before?.wasRequired ?? false;
  }
}
