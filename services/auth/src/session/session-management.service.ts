import { Injectable } from '@nestjs/common';
import type { accountRequests, RequestOf, ResponseOf } from '#libs/contracts';
import { AuditRepository, parsePage, toPage } from '#libs/database';
import type { Principal } from '#libs/identity';
import { AppError, isId } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { ManagedUserService } from '../account/managed-user.service.js';
import { Issues } from '../input/issues.js';
import { checkSearchText } from '../input/text.js';
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
    const userId = input.userId ?? caller.userId;
    const isManaged = input.userId !== undefined && caller.permissions.has('user.manage');
    if (!isManaged) {
      if (userId !== caller.userId) {
        throw new AppError('auth.forbidden', 'Only administrators see the sessions of others.', { path: ['userId'] });
      }
      refuseApiKey(caller);
    }
    const issues = new Issues();
    const search = checkSearchText(input.search, issues);
    issues.throwIfAny();
    const page = parsePage(input.page, 'sessions', { workspaceId, userId, search: search ?? null });
    const key = { workspaceId, id: isId('user', userId) ? userId : '' };
    const { rows, totalCount } = await this.list.list(key, search, page);
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
      const target = { type: 'session', id };
      await this.audit.add(transaction, { action: 'session.revoked', target, workspaceId });
      await this.revocations.add(transaction, 'SESSION', [id]);
      return isOwn;
    });
    if (!hasEnded) throw new AppError('auth.session_not_found', 'There is no such session.', { path: ['id'] });
    this.logger.info({ userId, sessionId: id }, 'a session was ended');
  }

  /** All of the caller's own but the one that asks. @returns how many there were */
  async revokeOthers(caller: Principal): Promise<number> {
    refuseApiKey(caller);
    const { workspaceId, userId, sessionId } = caller;
    return this.transactions.run(async (transaction) => {
      await this.users.lock(transaction, { workspaceId, id: userId });
      return this.endAudited(transaction, { workspaceId, id: userId }, sessionId);
    });
  }

  /** All of another's. */
  async revokeAllOf(userId: string, caller: Principal): Promise<number> {
    const count = await this.transactions.run(async (transaction) => {
      const user = await this.managed.lock(transaction, userId, caller);
      return this.endAudited(transaction, user);
    });
    this.logger.info({ userId, byUserId: caller.userId, count }, 'all sessions of a user were ended');
    return count;
  }

  private async endAudited(
    transaction: Transaction,
    { workspaceId, id }: UserKey,
    exceptSessionId?: string,
  ): Promise<number> {
    const ended = await this.sessions.endAllOf(transaction, id, exceptSessionId);
    const record = { action: 'user.sessions_revoked', target: { type: 'user', id }, workspaceId };
    await this.audit.add(transaction, { ...record, after: { count: ended.length } });
    await this.revocations.add(transaction, 'SESSION', ended);
    return ended.length;
  }

  /** Of a user who is locked, so that no session opens meanwhile; last in its transaction. */
  async endAll(transaction: Transaction, userId: string, exceptSessionId?: string): Promise<void> {
    const ended = await this.sessions.endAllOf(transaction, userId, exceptSessionId);
    await this.revocations.add(transaction, 'SESSION', ended);
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
