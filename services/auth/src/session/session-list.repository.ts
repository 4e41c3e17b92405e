import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { escapeLike, type ParsedPage } from '#libs/database';
import type { UserKey } from '../user/user.types.js';

export interface ListedSession {
  readonly id: string;
  readonly createdAt: Date;
  readonly lastUsedAt: Date;
  readonly expiresAt: Date;
  readonly userAgent: string | null;
  readonly clientAddress: string | null;
}

/** A session ends by itself with its last refresh token or its cookie, which nobody has used in time. */
const good = `
  s.ended_at is null and s.expires_at > now()
  and (
    exists (select 1 from auth.refresh_token t where t.session_id = s.id and t.used_at is null and t.expires_at > now())
    or exists (select 1 from auth.session_cookie c where c.session_id = s.id and c.expires_at > now()))`;

/** The sessions of one user that are not over. */
@Injectable()
export class SessionListRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /** The newest first. */
  async list(
    { workspaceId, id }: UserKey,
    search: string | undefined,
    page: ParsedPage<readonly ['string']>,
  ): Promise<{ rows: ListedSession[]; totalCount: number }> {
    const pattern = search === undefined ? null : `%${escapeLike(search)}%`;
    const filter = `s.workspace_id = $1 and s.user_id = $2 and ${good}
      and ($3::text is null or s.user_agent ilike $3 or s.client_address ilike $3)`;
    const [rows, counted] = await Promise.all([
      this.database.query<ListedSession[]>(
        `select s.id, s.created_at as "createdAt", s.last_used_at as "lastUsedAt", s.expires_at as "expiresAt",
           s.user_agent as "userAgent", s.client_address as "clientAddress"
         from auth.session s where ${filter} and ($4::text is null or s.id < $4) order by s.id desc limit $5`,
        [workspaceId, id, pattern, page.after?.[0] ?? null, page.limit],
      ),
      this.database.query<{ count: string }[]>(`select count(*) from auth.session s where ${filter}`, [
        workspaceId,
        id,
        pattern,
      ]),
    ]);
    return { rows, totalCount: Number(counted[0]?.count ?? 0) };
  }
}
