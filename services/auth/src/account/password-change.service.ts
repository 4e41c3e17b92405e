import { Injectable } from '@nestjs/common';
import type { accountRequests, RequestOf } from '#libs/contracts';
import { AuditRepository } from '#libs/database';
import type { Principal } from '#libs/identity';
import { AppError } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { Issues } from '../input/issues.js';
import { checkNewPassword } from '../input/password.js';
import { PasswordHelpService } from './password-help.service.js';
import { PasswordTokenRepository } from '../password/password-token.repository.js';
import { hashOfPasswordToken, type PasswordTokenPurpose } from '../password/password-token.js';
import { PasswordService } from '../password/password.service.js';
import { SessionManagementService } from '../session/session-management.service.js';
import { SignInThrottleService, type Attempt } from '../throttle/sign-in-throttle.service.js';
import { TransactionRepository, type Transaction } from '../transaction/transaction.repository.js';
import { UserRepository } from '../user/user.repository.js';
import type { UserKey } from '../user/user.types.js';
import { UserService } from '../user/user.service.js';
import { WorkspaceRepository } from '../workspace/workspace.repository.js';

/** Setting a password, by the old one or by a token. Either ends all other sessions, and every token that was given out. */
@Injectable()
export class PasswordChangeService {
  constructor(
    private readonly users: UserRepository,
    private readonly userService: UserService,
    private readonly workspaces: WorkspaceRepository,
    private readonly passwords: PasswordService,
    private readonly tokens: PasswordTokenRepository,
    private readonly throttle: SignInThrottleService,
    private readonly sessions: SessionManagementService,
    private readonly help: PasswordHelpService,
    private readonly transactions: TransactionRepository,
    private readonly audit: AuditRepository,
    private readonly logger: AppLogger,
  ) {}

  /** Guessing the old one is limited with guessing at sign-in where the workspace is named. */
  async change(input: RequestOf<typeof accountRequests.changePassword>, caller: Principal): Promise<void> {
    const { currentPassword, newPassword, clientAddress } = input;
    const { workspaceId, userId, sessionId } = caller;
    if (sessionId === undefined) throw new AppError('auth.forbidden', 'An API key changes no password.');
    const issues = new Issues();
    checkNewPassword(newPassword, ['newPassword'], issues);
    issues.throwIfAny();
    const key = { workspaceId, id: userId };
    const { email } = await this.userService.getSelf(caller);
    // Service accounts have neither, and no session to come here by.
    if (email === null) throw wrongPassword();
    const known = await this.users.findPasswordHash(key);
    const workspace = await this.workspaces.find(workspaceId);
    const attempt: Attempt = { typed: email, workspace: workspace?.slug, clientAddress };
    const isRight = await this.passwords.verify(known, currentPassword, () => this.throttle.admit(attempt));
    if (!isRight || known === undefined) {
      await this.throttle.failed(attempt);
      throw wrongPassword();
    }
    const passwordHash = await this.passwords.hash(newPassword);
    await this.transactions.run(async (transaction) => {
      await this.users.lock(transaction, key);
      const isStillRight = await this.users.hasPasswordHash(transaction, { ...key, passwordHash: known });
      if (!isStillRight) throw wrongPassword();
      await this.set(transaction, key, { passwordHash, by: 'CHANGE', keeps: sessionId });
    });
    this.logger.info({ userId }, 'a password was changed');
  }

  /** @throws AppError `auth.password_token_wrong`, the same for one that is unknown, used, replaced, expired or for something else */
  async setByToken(token: string, purpose: PasswordTokenPurpose, password: string): Promise<void> {
    const issues = new Issues();
    checkNewPassword(password, ['password'], issues);
    issues.throwIfAny();
    const hash = hashOfPasswordToken(token, purpose);
    const owner = hash && (await this.tokens.find(hash));
    if (!owner) throw wrongToken();
    const passwordHash = await this.passwords.hash(password);
    await this.transactions.run(async (transaction) => {
      // Locked first: of two who come with one token the second finds it gone.
      await this.users.lock(transaction, owner);
      if (!(await this.tokens.find(hash, transaction))) throw wrongToken();
      // A link that was given out before single sign-on was enforced.
      if (!(await this.help.isByPassword(transaction, owner.workspaceId))) throw wrongToken();
      await this.set(transaction, owner, { passwordHash, by: purpose });
    });
    this.logger.info({ userId: owner.id, purpose }, 'a password was set by a token');
  }

  private async set(
    transaction: Transaction,
    { workspaceId, id }: UserKey,
    { passwordHash, by, keeps }: { passwordHash: string; by: 'CHANGE' | PasswordTokenPurpose; keeps?: string },
  ): Promise<void> {
    await this.users.setPasswordHash(transaction, id, passwordHash);
    await this.tokens.deleteOf(transaction, [id]);
    // Who comes with a token has no other proof; it was his.
    const actor = by === 'CHANGE' ? undefined : ({ kind: 'USER', id } as const);
    const target = { type: 'user', id };
    await this.audit.add(transaction, { action: 'user.password_set', target, workspaceId, actor, after: { by } });
    if (by !== 'INVITATION') await this.help.tellOfChange(transaction, id);
    await this.sessions.endAll(transaction, id, keeps);
  }
}

function wrongPassword(): AppError {
  return new AppError('auth.credentials_wrong', 'The present password is wrong.', { path: ['currentPassword'] });
}

function wrongToken(): AppError {
  return new AppError('auth.password_token_wrong', 'The link is wrong, was used, or has expired.', { path: ['token'] });
}
