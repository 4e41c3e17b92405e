import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { Revocation } from '#libs/contracts';
import { accessTokenForm } from '#libs/identity';
import type { Transaction } from '../transaction/transaction.repository.js';

export interface RevocationPage {
  readonly revision: number;
  readonly now: Date;
  readonly revocations: readonly Revocation[];
}

interface Row {
  revision: string;
  subject: Revocation['subject'];
  subjectId: string;
  notBefore: Date;
}

/** Twice as long as a token can live: a margin for tokens that were issued while this was written. */
const keepSeconds = accessTokenForm.lifetimeMaxSeconds * 2;

/**
 * Tokens that are no longer good though their time has not come. Services read on from the revision that they have, so
 * revisions must become visible in their order: writers take a lock that ends with their commit.
 */
@Injectable()
export class RevocationRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /**
   * Refuses every token of these subjects that was issued until now. To be called last in a transaction, after the rows
   * that a token is made of have been locked: then whoever issues a token did so before, or sees the change.
   */
  async add(transaction: Transaction, subject: Revocation['subject'], subjectIds: readonly string[]): Promise<void> {
    if (subjectIds.length === 0) return;
    await transaction.query(`select pg_advisory_xact_lock(hashtextextended('auth.revocation', 0))`);
    // iat is cut to the millisecond, so the bound is the next one.
    await transaction.query(
      `insert into auth.revocation (revision, subject, subject_id, not_before)
       select nextval('auth.revocation_revision'), $1, subject_id,
         date_trunc('milliseconds', clock_timestamp()) + interval '1 millisecond'
       from unnest($2::text[]) as subject_id`,
      [subject, subjectIds],
    );
  }

  /** Waits, behind `add`, until what is issued in the same transaction counts as later than what that refuses. */
  async pass(transaction: Transaction): Promise<void> {
    await transaction.query(`select pg_sleep(0.002)`);
  }

  /** What came after a revision; all that can still matter for 0, or for a revision of a future that was restored away. */
  async listAfter(afterRevision: number): Promise<RevocationPage> {
    const [state] = await this.database.query<{ now: Date; last: string }[]>(
      `select clock_timestamp() as now, case when is_called then last_value else 0 end as last
       from auth.revocation_revision`,
    );
    if (!state) throw new Error('a sequence has a row');
    const after = afterRevision > Number(state.last) ? 0 : afterRevision;
    const rows = await this.database.query<Row[]>(
      `select revision, subject, subject_id as "subjectId", not_before as "notBefore"
       from auth.revocation
       where revision > $1 and not_before > now() - $2 * interval '1 second'
       order by revision`,
      [after, keepSeconds],
    );
    return {
      // Never the sequence's own value: what it has given out may not be committed yet.
      revision: rows.length === 0 ? after : Number(rows.at(-1)?.revision),
      now: state.now,
      revocations: rows.map(({ subject, subjectId, notBefore }) => ({ subject, subjectId, notBefore })),
    };
  }

  async deleteOld(): Promise<void> {
    await this.database.query(`delete from auth.revocation where not_before < now() - $1 * interval '1 second'`, [
      keepSeconds * 2,
    ]);
  }
}
