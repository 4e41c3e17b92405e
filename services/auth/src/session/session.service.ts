import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { authRequests, ResponseOf } from '#libs/contracts';
import { AuditRepository } from '#libs/database';
import type { Principal } from '#libs/identity';
import { AppError } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import type { AuthConfig } from '../auth.config.js';
import { RevocationRepository } from '../revocation/revocation.repository.js';
import { TransactionRepository, type Transaction } from '../transaction/transaction.repository.js';
import { UserRepository, type LockedUser } from '../user/user.repository.js';
import type { UserKey } from '../user/user.types.js';
import { hashOfRefreshToken, newSuccessorSalt, successorOf } from './refresh-token.js';
import { SessionMetrics } from './session.metrics.js';
import { SessionRepository, type LockedRefreshToken } from './session.repository.js';
import { SessionTokenService } from './session-token.service.js';

type Refreshed = ResponseOf<typeof authRequests.refreshSession>;
/** The outcome of a refresh, as its transaction commits it; a refusal has effects too, so it is not thrown inside. */
type Outcome =
  { readonly kind: 'ok' | 'repeated'; readonly refreshed: Refreshed } | { readonly kind: 'refused' | 'reused' };

/** Sessions after signing in: refreshing and signing out. */
@Injectable()
export class SessionService {
  constructor(
    private readonly users: UserRepository,
    private readonly sessions: SessionRepository,
    private readonly tokens: SessionTokenService,
    private readonly revocations: RevocationRepository,
    private readonly transactions: TransactionRepository,
    private readonly audit: AuditRepository,
    private readonly metrics: SessionMetrics,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: Pick<AuthConfig, 'session'>,
  ) {}

  /**
   * Trades a refresh token for its successor and an access token. A token that was traded before ends the session, as one
   * of its two holders is a thief; but for a few seconds, and until its successor is used, it gives the same successor
   * again, as a lost answer is no theft.
   */
  async refresh(refreshToken: string): Promise<Refreshed> {
    const hash = hashOfRefreshToken(refreshToken);
    const owner = hash && (await this.sessions.findUserOf(hash));
    const outcome: Outcome =
      hash && owner
        ? await this.transactions.run((transaction) => this.trade(transaction, refreshToken, hash, owner))
        : { kind: 'refused' };
    this.metrics.refreshes.inc({ outcome: outcome.kind });
    if (outcome.kind === 'reused') this.logger.warn({ userId: owner?.id }, 'a used refresh token came again');
    if ('refreshed' in outcome) return outcome.refreshed;
    throw new AppError('auth.unauthenticated', 'The session has ended. Sign in again.');
  }

  /** Ends the session that the caller signed in with. */
  async signOut({ userId, workspaceId, sessionId }: Principal): Promise<void> {
    if (sessionId === undefined) {
      throw new AppError('auth.forbidden', 'An API key has no session to end; revoke the key instead.');
    }
    await this.transactions.run(async (transaction) => {
      await this.end(transaction, { workspaceId, id: userId }, sessionId);
      const target = { type: 'session', id: sessionId };
      await this.audit.add(transaction, { action: 'session.signed_out', target, workspaceId });
    });
  }

  private async trade(transaction: Transaction, refreshToken: string, hash: Buffer, owner: UserKey): Promise<Outcome> {
    // The user first, as whoever changes a user locks in that order too.
    const locked = await this.users.lockForToken(transaction, owner);
    const token = await this.sessions.lockToken(transaction, hash);
    if (!locked || !token || token.isSessionOver) return { kind: 'refused' };
    if (!token.isUsed) {
      if (token.isExpired) return { kind: 'refused' };
      return { kind: 'ok', refreshed: await this.rotate(transaction, refreshToken, hash, locked, token) };
    }
    if (token.successorSalt) {
      const successor = successorOf(refreshToken, token.successorSalt);
      const issued = await this.tokens.issue(locked, token.session);
      return { kind: 'repeated', refreshed: { ...issued, refreshToken: successor } };
    }
    await this.end(transaction, owner, token.session.id);
    await this.audit.add(transaction, {
      action: 'session.refresh_reused',
      target: { type: 'session', id: token.session.id },
      workspaceId: owner.workspaceId,
      actor: { kind: 'USER', id: owner.id, sessionId: token.session.id },
      failure: 'REUSED',
    });
    return { kind: 'reused' };
  }

  private async rotate(
    transaction: Transaction,
    refreshToken: string,
    hash: Buffer,
    locked: LockedUser,
    { session }: LockedRefreshToken,
  ): Promise<Refreshed> {
    const salt = newSuccessorSalt();
    const successor = successorOf(refreshToken, salt);
    const successorHash = hashOfRefreshToken(successor);
    if (!successorHash) throw new Error('a successor has another form than its predecessor');
    await this.sessions.markUsed(transaction, session, hash, salt);
    await this.sessions.addToken(transaction, session, successorHash, this.config.session.idleSeconds);
    return { ...(await this.tokens.issue(locked, session)), refreshToken: successor };
  }

  private async end(transaction: Transaction, owner: UserKey, sessionId: string): Promise<void> {
    const hasEnded = await this.sessions.end(transaction, owner, sessionId);
    if (hasEnded) await this.revocations.add(transaction, 'SESSION', [sessionId]);
  }
}
