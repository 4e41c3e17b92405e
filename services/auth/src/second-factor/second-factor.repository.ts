import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { UserKey } from '../user/user.types.js';
import type { Transaction } from '../transaction/transaction.repository.js';

export interface SecondFactorState {
  readonly sealedSecret: string | null;
  readonly isConfirmed: boolean;
  /** The workspace lets nobody in without one. */
  readonly isRequired: boolean;
  readonly nowMs: number;
}

/** Second factors and their recovery codes in PostgreSQL. */
@Injectable()
export class SecondFactorRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  async read(userId: string, transaction: Transaction | DataSource = this.database): Promise<SecondFactorState> {
    const [row] = await transaction.query<SecondFactorState[]>(
      `select f.sealed_secret as "sealedSecret", f.confirmed_at is not null as "isConfirmed",
         w.second_factor_required as "isRequired", (extract(epoch from clock_timestamp()) * 1000)::float8 as "nowMs"
       from auth.user_account u
       join auth.workspace w on w.id = u.workspace_id
       left join auth.second_factor f on f.user_id = u.id
       where u.id = $1`,
      [userId],
    );
    return row ?? { sealedSecret: null, isConfirmed: false, isRequired: true, nowMs: 0 };
  }

  /** Keeps a secret that has yet to be confirmed. @returns false where the user has a confirmed one */
  async begin({ workspaceId, id }: UserKey, sealedSecret: string): Promise<boolean> {
    const [begun] = await this.database.query<unknown[]>(
      `insert into auth.second_factor as known (user_id, workspace_id, sealed_secret) values ($1, $2, $3)
       on conflict (user_id) do update set sealed_secret = $3, last_step = 0 where known.confirmed_at is null
       returning 1`,
      [id, workspaceId, sealedSecret],
    );
    return begun !== undefined;
  }

  /** @returns false where the secret is another one by now, or confirmed already */
  async confirm(transaction: Transaction, userId: string, sealedSecret: string, step: number): Promise<boolean> {
    const [confirmed] = await transaction.query<[unknown[], number]>(
      `update auth.second_factor set confirmed_at = now(), last_step = $3
       where user_id = $1 and sealed_secret = $2 and confirmed_at is null returning 1`,
      [userId, sealedSecret, step],
    );
    return confirmed.length > 0;
  }

  async addRecoveryCodes(transaction: Transaction, userId: string, hashes: readonly Buffer[]): Promise<void> {
    await transaction.query(
      `insert into auth.recovery_code (user_id, hash) select $1, hash from unnest($2::bytea[]) as hash`,
      [userId, hashes],
    );
  }

  /** Of two that come with one code, one only is let in. @returns whether this step was not used before */
  async useStep(userId: string, step: number, transaction: Transaction | DataSource = this.database): Promise<boolean> {
    const [used] = await transaction.query<[unknown[], number]>(
      `update auth.second_factor set last_step = $2
       where user_id = $1 and confirmed_at is not null and last_step < $2 returning 1`,
      [userId, step],
    );
    return used.length > 0;
  }

  /** @returns whether the user had this code, which is gone now */
  async useRecoveryCode(
    userId: string,
    hash: Buffer,
    transaction: Transaction | DataSource = this.database,
  ): Promise<boolean> {
    const [used] = await transaction.query<[unknown[], number]>(
      `delete from auth.recovery_code c using auth.second_factor f
       where c.user_id = $1 and c.hash = $2 and f.user_id = c.user_id and f.confirmed_at is not null returning 1`,
      [userId, hash],
    );
    return used.length > 0;
  }

  /** @returns whether there was one */
  async remove(transaction: Transaction, userId: string): Promise<boolean> {
    const [removed] = await transaction.query<[unknown[], number]>(
      `delete from auth.second_factor where user_id = $1 returning 1`,
      [userId],
    );
    return removed.length > 0;
  }
}
