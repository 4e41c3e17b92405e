import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { authRequests, ResponseOf } from '#libs/contracts';
import { AuditRepository } from '#libs/database';
import type { AuthConfig } from '../auth.config.js';
import type { Transaction } from '../transaction/transaction.repository.js';
import type { LockedUser } from '../user/user.repository.js';
import { hashOfRefreshToken, newRefreshToken } from './refresh-token.js';
import { SessionRepository, type SessionOrigin } from './session.repository.js';
import { SessionTokenService } from './session-token.service.js';

export type OpenedSession = ResponseOf<typeof authRequests.signIn>;

/** How somebody has proven who he is, and from where. */
export interface Opening extends SessionOrigin {
  readonly by: 'PASSWORD';
}

/** Opens sessions, however somebody has proven who he is. Each has a new id and new tokens: nothing of before goes on in it. */
@Injectable()
export class SessionOpenerService {
  constructor(
    private readonly sessions: SessionRepository,
    private readonly tokens: SessionTokenService,
    private readonly audit: AuditRepository,
    @InjectConfig() private readonly config: Pick<AuthConfig, 'session'>,
  ) {}

  /** @param locked by UserRepository.lockForToken in the same transaction */
  async open(transaction: Transaction, locked: LockedUser, { by, ...origin }: Opening): Promise<OpenedSession> {
    const refreshToken = newRefreshToken();
    const hash = hashOfRefreshToken(refreshToken);
    if (!hash) throw new Error('a new refresh token has another form than an old one');
    const { ttlSeconds, idleSeconds } = this.config.session;
    const session = await this.sessions.insert(transaction, locked.user, ttlSeconds, origin);
    const { id, workspaceId } = locked.user;
    await this.audit.add(transaction, {
      action: 'session.signed_in',
      target: { type: 'session', id: session.id },
      workspaceId,
      actor: { kind: 'USER', id, sessionId: session.id },
      after: { by },
    });
    await this.sessions.addToken(transaction, session, hash, idleSeconds);
    return { ...(await this.tokens.issue(locked, session)), refreshToken };
  }
}
