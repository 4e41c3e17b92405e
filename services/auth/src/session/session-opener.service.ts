import { createHash, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { AuthConfig } from '../auth.config.js';
import { RevocationRepository } from '../revocation/revocation.repository.js';
import type { Transaction } from '../transaction/transaction.repository.js';
import type { UserKey } from '../user/user.types.js';
import { hashOfRefreshToken, newRefreshToken } from './refresh-token.js';
import { SessionCookieRepository } from './session-cookie.repository.js';
import { SessionRepository, type SessionRow } from './session.repository.js';

export interface OpenedSession {
  readonly session: SessionRow;
}

export interface BrowserSession extends OpenedSession {
  /** 256 random bits that only the browser has. */
  readonly cookie: string;
}

const cookieForm = /^[A-Za-z0-9_-]{43}$/;

/** Opens sessions, whoever has found out who it is: the one place where a session begins. */
@Injectable()
export class SessionOpener {
  constructor(
    private readonly sessions: SessionRepository,
    private readonly cookies: SessionCookieRepository,
    private readonly revocations: RevocationRepository,
    @InjectConfig() private readonly config: Pick<AuthConfig, 'session'>,
  ) {}

  /** For clients that carry their tokens themselves. */
  async openByToken(transaction: Transaction, user: UserKey): Promise<OpenedSession & { refreshToken: string }> {
    const refreshToken = newRefreshToken();
    const hash = hashOfRefreshToken(refreshToken);
    if (!hash) throw new Error('a new refresh token has another form than an old one');
    const { ttlSeconds, idleSeconds } = this.config.session;
    const session = await this.sessions.insert(transaction, user, ttlSeconds);
    await this.sessions.addToken(transaction, session, hash, idleSeconds);
    return { session, refreshToken };
  }

  /** For browsers. The id is a new one at each sign-in, so that nobody can have planted it. */
  async openByCookie(transaction: Transaction, user: UserKey): Promise<BrowserSession> {
    const cookie = randomBytes(32).toString('base64url');
    const { ttlSeconds, idleSeconds } = this.config.session;
    const session = await this.sessions.insert(transaction, user, ttlSeconds);
    await this.cookies.insert(transaction, session, hashOf(cookie), idleSeconds);
    return { session, cookie };
  }

  /** @returns whether there was a session to end */
  async endByCookie(transaction: Transaction, cookie: string): Promise<boolean> {
    const hash = hashOfSessionCookie(cookie);
    const ended = hash && (await this.cookies.end(transaction, hash));
    if (ended !== undefined) await this.revocations.add(transaction, 'SESSION', [ended]);
    return ended !== undefined;
  }
}

/** What is stored of a cookie; undefined for what cannot be one. */
export function hashOfSessionCookie(cookie: string): Buffer | undefined {
  return cookieForm.test(cookie) ? hashOf(cookie) : undefined;
}

function hashOf(cookie: string): Buffer {
  return createHash('sha256').update(cookie).digest();
}
