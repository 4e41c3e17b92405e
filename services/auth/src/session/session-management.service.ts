import { Injectable } from '@nestjs/common';
import type { accountRequests, RequestOf, ResponseOf } from '#libs/contracts';
import { AuditRepository, parsePage, toPage } from '#libs/database';
import type { Principal } from '#libs/identity';
import { AppError, isId } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { ManagedUserService } from '../account/managed-user.service.js';
import { RevocationRepository } from '../revocation/revocation.repository.js';
import { TransactionRepository, type Transaction } from '../transaction/transaction.repository.js';
import { UserRepository } from '../user/user.repository.js';
import type { UserKey } from '../user/user.types.js';
import { SessionListRepository, type ListedSession } from './session-list.repository.js';
import { SessionRepository } from './session.repository.js';

type Sessions = ResponseOf<typeof accountRequests.listSessions>;

/** The list of sessions, and ending them: one's own, and by administrators those of others. */
@Injectable()
export class SessionManagementService {
  constructor(
    private readonly list: SessionListRepository,
    private readonly sessions: SessionRepository,
    private readonly revocations: RevocationRepository,
    private readonly users: UserRepository,
    private readonly managed: ManagedUserService,
    private readonly transactions: TransactionRepository,
    private readonly audit: AuditRepository,
    private readonly logger: AppLogger,
  ) {}

  async listOf(input: RequestOf<typeof accountRequests.listSessions>, caller: Principal): Promise<Sessions> {
    const { workspaceId } = caller;
    if (input.userId === undefined) refuseApiKey(caller);
    const userId = input.userId ?? caller.userId;
    if (userId !== caller.userId && !caller.permissions.has('user.manage')) {
      throw new AppError('auth.forbidden', 'Only administrators see the sessions of others.', { path: ['userId'] });
    }
    const page = parsePage(input.page, 'sessions', { workspaceId, userId });
    const key = { workspaceId, id: isId('user', userId) ? userId : '' };
    const { rows, totalCount } = await this.list.list(key, page);
    const { rows: shown, cursors, pageInfo } = toPage(rows, page, ({ id }) => [id]);
    return { sessions: shown.map((row) => toSession(row, caller)), cursors, pageInfo, totalCount };
  }

  /** One of the caller's own. */
  async revoke(id: string, caller: Principal): Promise<void> {
    refuseApiKey(caller);
    const { workspaceId, userId } = caller;
    const hasEnded = await this.transactions.run(async (transaction) => {
      const isOwn = isId('session', id) && (await this.sessions.end(transaction, { workspaceId, id: userId }, id));
      if (!isOwn) return false;
      await this.audit.add(transaction, { action: 'session.revoked', target: { type: 'session', id }, workspaceId });
      await this.revocations.add(transaction, 'SESSION', [id]);
      return true;
    });
    if (!hasEnded) throw new AppError('auth.session_not_found', 'There is no such session.', { path: ['id'] });
    this.logger.info({ userId, sessionId: id }, 'a session was ended');
  }

  /** All of the caller's own but the one that asks. @returns how many there were */
  async revokeOthers(caller: Principal): Promise<number> {
    refuseApiKey(caller);
    const { workspaceId, userId, sessionId } = caller;
    return this.transactions.run(async (transaction) => {
      const user = await this.users.lock(transaction, { workspaceId, id: userId });
      await this.record(transaction, user);
      return this.endAll(transaction, userId, sessionId);
    });
  }

  /** All of another's. */
  async revokeAllOf(userId: string, caller: Principal): Promise<number> {
    const count = await this.transactions.run(async (transaction) => {
      const user = await this.managed.lock(transaction, userId, caller);
      await this.record(transaction, user);
      return this.endAll(transaction, user.id);
    });
    this.logger.info({ userId, byUserId: caller.userId, count }, 'all sessions of a user were ended');
    return count;
  }

  private record(transaction: Transaction, { id, workspaceId }: UserKey): Promise<void> {
    return this.audit.add(transaction, { action: 'session.all_revoked', target: { type: 'user', id }, workspaceId });
  }

  /** Of a user who is locked, so that no session opens meanwhile. @returns how many there were */
  async endAll(transaction: Transaction, userId: string, exceptSessionId?: string): Promise<number> {
    const ended = await this.sessions.endAllOf(transaction, userId, exceptSessionId);
    await this.revocations.add(transaction, 'SESSION', ended);
    return ended.length;
  }
}

/** A key is made for less than all that its maker may do. */
function refuseApiKey({ sessionId }: Principal): void {
  if (sessionId === undefined) throw new AppError('auth.forbidden', 'An API key has no sessions.');
}

function toSession(row: ListedSession, { sessionId }: Principal): Sessions['sessions'][number] {
  const { userAgent, clientAddress, ...rest } = row;
  return {
    ...rest,
    ...(userAgent === null ? {} : { userAgent }),
    ...(clientAddress === null ? {} : { clientAddress }),
    current: row.id === sessionId,
  };
}
