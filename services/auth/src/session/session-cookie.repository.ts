import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { Transaction } from '../transaction/transaction.repository.js';
import type { UserKey } from '../user/user.types.js';
import type { SessionRow } from './session.repository.js';

export interface EndedSession {
  readonly id: string;
  readonly workspaceId: string;
  readonly userId: string;
}

/** Cookies of browsers' sessions, of which only hashes are kept. */
@Injectable()
export class SessionCookieRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /** Whose session a cookie belongs to; undefined where nobody has given it out. */
  async findUserOf(hash: Buffer): Promise<UserKey | undefined> {
    const [row] = await this.database.query<UserKey[]>(
      `select s.workspace_id as "workspaceId", s.user_id as id
       from auth.session_cookie c join auth.session s on s.id = c.session_id where c.hash = $1`,
      [hash],
    );
    return row;
  }

  /** The session under way that a cookie is good for, which is used by this. The session stays locked. */
  async use(transaction: Transaction, hash: Buffer, idleSeconds: number): Promise<SessionRow | undefined> {
    await transaction.query(
      `update auth.session set last_used_at = now()
       where id = (select session_id from auth.session_cookie where hash = $1) and ended_at is null`,
      [hash],
    );
    const [rows] = await transaction.query<[SessionRow[], number]>(
      `update auth.session_cookie c
       set expires_at = least(s.expires_at, now() + $2 * interval '1 second')
       from auth.session s
       where c.hash = $1 and s.id = c.session_id and s.ended_at is null and s.expires_at > now() and c.expires_at > now()
       returning s.id, s.expires_at as "expiresAt"`,
      [hash, idleSeconds],
    );
    return rows[0];
  }

  /** @returns the session that is over by this, and whose it was */
  async end(transaction: Transaction, hash: Buffer): Promise<EndedSession | undefined> {
    const [rows] = await transaction.query<[EndedSession[], number]>(
      `update auth.session set ended_at = now()
       where id = (select session_id from auth.session_cookie where hash = $1) and ended_at is null
       returning id, workspace_id as "workspaceId", user_id as "userId"`,
      [hash],
    );
    return rows[0];
  }
}
