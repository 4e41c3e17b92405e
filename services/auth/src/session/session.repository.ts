import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { queryPrepared } from '#libs/database';
import type { Transaction } from '../transaction/transaction.repository.js';
import type { UserKey } from '../user/user.types.js';

export interface SessionRow {
  readonly id: string;
  readonly expiresAt: Date;
}

/** Where a session was opened, for who looks through the list of them; it goes with the session. */
export interface SessionOrigin {
  readonly userAgent?: string | undefined;
  readonly clientAddress?: string | undefined;
}

/** What else the statement asks and does that opens a session: more of its `with`. */
export interface BesideOpening {
  /** A query without whose row there is no session. */
  readonly allowed: string;
  /** Over `opened` with the session's id. */
  readonly sql: string;
  /** From $9 on. */
  readonly parameters: readonly unknown[];
}

export const besideFirst = 9;

interface NewSession {
  readonly id: string;
  readonly origin: SessionOrigin;
  readonly credential: { readonly table: 'refresh_token' | 'session_cookie'; readonly hash: Buffer };
  readonly beside?: BesideOpening | undefined;
}

/** A refresh token in its session, locked. */
export interface LockedRefreshToken {
  readonly session: SessionRow;
  readonly isSessionOver: boolean;
  readonly isExpired: boolean;
  readonly isUsed: boolean;
  /** Present while a repeated refresh may still have the same successor. */
  readonly successorSalt: Buffer | null;
}

interface TokenRow {
  sessionId: string;
  expiresAt: Date;
  isSessionOver: boolean;
  isExpired: boolean;
  isUsed: boolean;
  successorSalt: Buffer | null;
}

/** For this long after its use a refresh token may come again: a lost answer, or two windows that refresh at once. */
const graceSeconds = 10;
const userAgentMax = 200;

/** Sessions and the chain of refresh tokens of each, of which only the last one is good. */
@Injectable()
export class SessionRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /**
   * A new session with the first credential that is good for it: for `idleSeconds`, and never longer than the session. One
   * statement, which needs no transaction around it: whoever disables the user comes before it, and there is no session, or
   * after it, and ends this one too. The same is true of what `beside` asks.
   * @returns undefined where the user is disabled, or `beside` does not allow it
   */
  async open(
    on: Transaction,
    { workspaceId, id: userId }: UserKey,
    { id, origin: { userAgent, clientAddress }, credential, beside }: NewSession,
    { ttlSeconds, idleSeconds }: { readonly ttlSeconds: number; readonly idleSeconds: number },
  ): Promise<SessionRow | undefined> {
    const [row] = await queryPrepared<SessionRow>(
      on,
      `with person as (
         select workspace_id, id from auth.user_account where workspace_id = $2 and id = $3 and not disabled for share
       )${beside ? `, allowed as (${beside.allowed})` : ''}, opened as (
         insert into auth.session (id, workspace_id, user_id, expires_at, user_agent, client_address)
         select $1::text, workspace_id, id, now() + $4 * interval '1 second', $5::text, $6::text from person${beside ? ', allowed' : ''}
         returning id, expires_at
       ), credential as (
         insert into auth.${credential.table} (hash, session_id, expires_at)
         select $7::bytea, id, least(expires_at, now() + $8 * interval '1 second') from opened
       )${beside ? `, ${beside.sql}` : ''}
       select id, expires_at as "expiresAt" from opened`,
      [
        ...[id, workspaceId, userId, ttlSeconds, shownText(userAgent), clientAddress ?? null],
        ...[credential.hash, idleSeconds, ...(beside?.parameters ?? [])],
      ],
    );
    return row;
  }

  /** A token, good for `idleSeconds` and never longer than its session. */
  async addToken(transaction: Transaction, session: SessionRow, hash: Buffer, idleSeconds: number): Promise<void> {
    await transaction.query(
      `insert into auth.refresh_token (hash, session_id, expires_at)
       values ($1, $2, least($3::timestamptz, now() + $4 * interval '1 second'))`,
      [hash, session.id, session.expiresAt, idleSeconds],
    );
  }

  /** Whose session a token belongs to; undefined where nobody has given it out. */
  async findUserOf(hash: Buffer): Promise<UserKey | undefined> {
    const [row] = await this.database.query<UserKey[]>(
      `select s.workspace_id as "workspaceId", s.user_id as id
       from auth.refresh_token t join auth.session s on s.id = t.session_id where t.hash = $1`,
      [hash],
    );
    return row;
  }

  /** Of two refreshes of one session the second waits here for the first, and then sees what it did. */
  async lockToken(transaction: Transaction, hash: Buffer): Promise<LockedRefreshToken | undefined> {
    await transaction.query(
      `select 1 from auth.session where id = (select session_id from auth.refresh_token where hash = $1) for update`,
      [hash],
    );
    const [row] = await transaction.query<TokenRow[]>(
      `select s.id as "sessionId", s.expires_at as "expiresAt",
         s.ended_at is not null or s.expires_at <= now() as "isSessionOver",
         t.expires_at <= now() as "isExpired", t.used_at is not null as "isUsed",
         case when t.used_at > now() - $2 * interval '1 second' then t.successor_salt end as "successorSalt"
       from auth.refresh_token t join auth.session s on s.id = t.session_id where t.hash = $1`,
      [hash, graceSeconds],
    );
    if (!row) return undefined;
    const { sessionId, expiresAt, ...state } = row;
    return { session: { id: sessionId, expiresAt }, ...state };
  }

  /** From its use on a token has its successor, and its predecessor cannot be repeated any more. */
  async markUsed(transaction: Transaction, session: SessionRow, hash: Buffer, successorSalt: Buffer): Promise<void> {
    await transaction.query(
      `update auth.refresh_token
       set used_at = coalesce(used_at, clock_timestamp()), successor_salt = case when hash = $2 then $3::bytea end
       where session_id = $1 and (hash = $2 or successor_salt is not null)`,
      [session.id, hash, successorSalt],
    );
    await transaction.query(`update auth.session set last_used_at = now() where id = $1`, [session.id]);
  }

  /** @returns whether it was not over before */
  async end(transaction: Transaction, { workspaceId, id }: UserKey, sessionId: string): Promise<boolean> {
    const [ended] = await transaction.query<[unknown[], number]>(
      `update auth.session set ended_at = now()
       where id = $1 and workspace_id = $2 and user_id = $3 and ended_at is null returning id`,
      [sessionId, workspaceId, id],
    );
    return ended.length > 0;
  }

  /** @returns the ids of those that were not over before */
  async endAllOf(transaction: Transaction, userId: string, exceptSessionId?: string): Promise<string[]> {
    const [ended] = await transaction.query<[{ id: string }[], number]>(
      `update auth.session set ended_at = now()
       where user_id = $1 and ended_at is null and expires_at > now() and id is distinct from $2 returning id`,
      [userId, exceptSessionId ?? null],
    );
    return ended.map(({ id }) => id);
  }

  /** Removes sessions that have been over for so long that nobody asks why; their tokens go with them. */
  async deleteOld(): Promise<void> {
    await this.database.query(
      `delete from auth.session
       where least(expires_at, coalesce(ended_at, expires_at)) < now() - interval '7 days'`,
    );
    await this.database.query(`delete from auth.refresh_token where expires_at < now() - interval '7 days'`);
  }
}

/** What a client says of itself: as much as is worth showing, in characters that PostgreSQL takes. */
function shownText(text: string | undefined): string | null {
  return text === undefined ? null : text.replaceAll(/\p{Cc}/gu, '').slice(0, userAgentMax);
}
