import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { newId } from '#libs/kernel';
import type { MailPurpose } from './mail-purpose.js';
import type { Transaction } from '../transaction/transaction.repository.js';

/** A mail that is to be sent, by whoever has claimed it. */
export interface ClaimedMail {
  readonly id: string;
  readonly purpose: MailPurpose;
  /** Somebody has asked for this address, whoever that is; else the user is known. */
  readonly email: string | null;
  readonly workspaceSlug: string | null;
  readonly userId: string | null;
  readonly failures: number;
  readonly ageSeconds: number;
}

export interface Recipient {
  readonly email: string;
  readonly workspaceName: string;
}

/** The mails that are to be sent: a row is deleted when its mail was taken, so each is sent at least once. */
@Injectable()
export class MailRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /** For whoever has this address, which nobody looks up here. */
  async addForAddress(email: string, workspaceSlug: string | undefined): Promise<void> {
    await this.database.query(
      `insert into auth.mail (id, purpose, email, workspace_slug) values ($1, 'RESET', $2, $3)`,
      [newId('message'), email, workspaceSlug ?? null],
    );
  }

  async addForUser(transaction: Transaction, userId: string, purpose: MailPurpose): Promise<void> {
    await transaction.query(`insert into auth.mail (id, purpose, user_id) values ($1, $2, $3)`, [
      ...[newId('message'), purpose, userId],
    ]);
  }

  /** The next one that is due. For as long as the lease lasts nobody else takes it. */
  async claim(leaseSeconds: number): Promise<ClaimedMail | undefined> {
    const [claimed] = await this.database.query<[ClaimedMail[], number]>(
      `update auth.mail set due_at = now() + $1 * interval '1 second'
       where id = (select id from auth.mail where due_at <= now() order by due_at limit 1 for update skip locked)
       returning id, purpose, email, workspace_slug as "workspaceSlug", user_id as "userId", failures,
         extract(epoch from now() - created_at)::float8 as "ageSeconds"`,
      [leaseSeconds],
    );
    return claimed[0];
  }

  /** Puts a mail for each user who has a password and this address in the place of the request. */
  async expand(
    transaction: Transaction,
    { id, email, workspaceSlug }: ClaimedMail,
    passwordWorkspaces: readonly string[],
  ): Promise<void> {
    const users = await transaction.query<{ id: string }[]>(
      `select u.id from auth.user_account u join auth.workspace w on w.id = u.workspace_id
       where u.email = $1 and ($2::text is null or w.slug = $2) and u.password_hash is not null and not u.disabled
         and (not w.sso_enforced or w.slug = any ($3::text[]))`,
      [email, workspaceSlug, passwordWorkspaces],
    );
    for (const user of users) await this.addForUser(transaction, user.id, 'RESET');
    await transaction.query(`delete from auth.mail where id = $1`, [id]);
  }

  /** Where a user's mail goes, which nobody changes until the transaction ends; undefined for who may not sign in any more. */
  async lockRecipient(transaction: Transaction, userId: string): Promise<Recipient | undefined> {
    const [row] = await transaction.query<Recipient[]>(
      `select u.email, w.name as "workspaceName"
       from auth.user_account u join auth.workspace w on w.id = u.workspace_id where u.id = $1 and not u.disabled
       for share of u`,
      [userId],
    );
    return row;
  }

  async delete(id: string): Promise<void> {
    await this.database.query(`delete from auth.mail where id = $1`, [id]);
  }

  async postpone(id: string, delayMs: number): Promise<void> {
    await this.database.query(
      `update auth.mail set failures = failures + 1, due_at = now() + $2 * interval '1 millisecond' where id = $1`,
      [id, delayMs],
    );
  }
}
