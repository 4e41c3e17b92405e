import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { AuditRepository } from '#libs/database';
import { secretHash } from '#libs/encryption';
import { currentWork, newId } from '#libs/kernel';
import type { AuthConfig } from '../auth.config.js';
import { RevocationRepository } from '../revocation/revocation.repository.js';
import type { Transaction } from '../transaction/transaction.repository.js';
import type { IssuedToken } from '../signing/token-issuer.service.js';
import { UserRepository, type LockedUser } from '../user/user.repository.js';
import type { UserKey } from '../user/user.types.js';
import { hashOfRefreshToken, newRefreshToken } from './refresh-token.js';
import { SessionCookieRepository } from './session-cookie.repository.js';
import { SessionRepository, type BesideOpening, type SessionOrigin, type SessionRow } from './session.repository.js';
import { SessionTokenService } from './session-token.service.js';

export interface OpenedSession {
  readonly session: SessionRow;
}

export interface TokenSession extends OpenedSession {
  readonly refreshToken: string;
}

export interface SessionTokens extends IssuedToken {
  readonly refreshToken: string;
}

export interface BrowserSession extends OpenedSession {
  /** 256 random bits that only the browser has. */
  readonly cookie: string;
}

/** What the statement that opens a session does besides. */
export type Beside = (sessionId: string) => BesideOpening;

const cookieForm = /^[A-Za-z0-9_-]{43}$/;

/**
 * Opens sessions, however somebody has proven who he is: the one place where a session begins. Each has a new id and new
 * tokens: nothing of before goes on in it.
 */
@Injectable()
export class SessionOpenerService {
  constructor(
    private readonly users: UserRepository,
    private readonly sessions: SessionRepository,
    private readonly cookies: SessionCookieRepository,
    private readonly tokens: SessionTokenService,
    private readonly revocations: RevocationRepository,
    private readonly audit: AuditRepository,
    @InjectConfig() private readonly config: Pick<AuthConfig, 'session'>,
  ) {}

  /**
   * For who knew a password of ours.
   * @param locked by UserRepository.lockForToken in the same transaction
   */
  async openByPassword(transaction: Transaction, locked: LockedUser, origin: SessionOrigin): Promise<SessionTokens> {
    const { session, refreshToken } = await this.openByToken(transaction, locked.user, origin);
    const { id, workspaceId } = locked.user;
    await this.audit.add(transaction, {
      action: 'session.signed_in',
      target: { type: 'session', id: session.id },
      workspaceId,
      actor: { kind: 'USER', id, sessionId: session.id },
      after: { by: 'PASSWORD' },
    });
    return { ...(await this.tokens.issue(locked, session)), refreshToken };
  }

  /** For clients that carry their tokens themselves. */
  async openByToken(
    transaction: Transaction,
    user: UserKey,
    origin = originOfWork(),
    beside?: Beside,
  ): Promise<TokenSession> {
    const refreshToken = newRefreshToken();
    const hash = hashOfRefreshToken(refreshToken);
    if (!hash) throw new Error('a new refresh token has another form than an old one');
    const session = await this.open(transaction, user, { table: 'refresh_token', hash }, origin, beside);
    if (!session) throw new Error('a user who has just signed in is disabled');
    return { session, refreshToken };
  }

  /** The tokens of a session that the same transaction has opened, for a user as it is now. */
  async tokensOf(transaction: Transaction, user: UserKey, opened: TokenSession): Promise<SessionTokens> {
    const locked = await this.users.lockForToken(transaction, user);
    if (!locked) throw new Error('a user who has just signed in may have no token');
    return { ...(await this.tokens.issue(locked, opened.session)), refreshToken: opened.refreshToken };
  }

  /**
   * For browsers. The id is a new one at each sign-in, so that nobody can have planted it.
   * @returns undefined where the user is disabled
   */
  async openByCookie(on: Transaction, user: UserKey, beside: Beside): Promise<BrowserSession | undefined> {
    const cookie = randomBytes(32).toString('base64url');
    const credential = { table: 'session_cookie', hash: secretHash(cookie) } as const;
    const session = await this.open(on, user, credential, originOfWork(), beside);
    return session && { session, cookie };
  }

  private open(
    on: Transaction,
    user: UserKey,
    credential: { readonly table: 'refresh_token' | 'session_cookie'; readonly hash: Buffer },
    origin: SessionOrigin,
    beside: Beside | undefined,
  ): Promise<SessionRow | undefined> {
    const id = newId('session');
    return this.sessions.open(on, user, { id, origin, credential, beside: beside?.(id) }, this.config.session);
  }

  /** Ends the session of a browser, if it has one. */
  async endByCookie(transaction: Transaction, cookie: string, by: 'SIGN_OUT' | 'NEW_SIGN_IN'): Promise<void> {
    const hash = hashOfSessionCookie(cookie);
    const ended = hash && (await this.cookies.end(transaction, hash));
    if (!ended) return;
    const { id, workspaceId, userId } = ended;
    await this.audit.add(transaction, {
      action: 'session.signed_out',
      target: { type: 'session', id },
      workspaceId,
      actor: { kind: 'USER', id: userId, sessionId: id },
      after: { by },
    });
    await this.revocations.add(transaction, 'SESSION', [id]);
  }
}

/** What is stored of a cookie; undefined for what cannot be one. */
export function hashOfSessionCookie(cookie: string): Buffer | undefined {
  return cookieForm.test(cookie) ? secretHash(cookie) : undefined;
}

function originOfWork(): SessionOrigin {
  const { clientAddress, userAgent } = currentWork() ?? {};
  return { clientAddress, userAgent };
}
