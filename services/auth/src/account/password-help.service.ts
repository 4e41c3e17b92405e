import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { accountRequests, RequestOf } from '#libs/contracts';
import { AuditRepository } from '#libs/database';
import type { Principal } from '#libs/identity';
import { AppError } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import type { AuthConfig } from '../auth.config.js';
import { normalizeEmail } from '../input/email.js';
import { MailRepository } from '../mail/mail.repository.js';
import { SmtpClient } from '../mail/smtp.client.js';
import { PasswordLinkService } from '../password/password-link.service.js';
import type { PasswordTokenPurpose } from '../password/password-token.js';
import { ResetThrottleService } from '../throttle/reset-throttle.service.js';
import { TransactionRepository, type Transaction } from '../transaction/transaction.repository.js';
import { UserRepository } from '../user/user.repository.js';
import type { UserRow } from '../user/user.types.js';
import { slugPattern } from '../workspace/slug.js';
import { WorkspaceRepository } from '../workspace/workspace.repository.js';
import { ManagedUserService } from './managed-user.service.js';

/** Links that set a password: by mail, or where no mail is sent for the administrator, once. */
@Injectable()
export class PasswordHelpService {
  constructor(
    private readonly mails: MailRepository,
    private readonly links: PasswordLinkService,
    private readonly smtp: SmtpClient,
    private readonly throttle: ResetThrottleService,
    private readonly users: UserRepository,
    private readonly managed: ManagedUserService,
    private readonly transactions: TransactionRepository,
    private readonly audit: AuditRepository,
    private readonly workspaces: WorkspaceRepository,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: Pick<AuthConfig, 'signIn'>,
  ) {}

  /**
   * For whoever has this address. Nobody is looked up here, so neither the answer nor its time tells whether somebody has:
   * who sends the mail looks, behind the request.
   */
  async request(input: RequestOf<typeof accountRequests.requestPasswordReset>): Promise<void> {
    const email = normalizeEmail(input.email);
    const { workspace, clientAddress } = input;
    await this.throttle.admit({ email: email ?? '', clientAddress });
    const isPossible = email !== undefined && (workspace === undefined || slugPattern.test(workspace));
    if (isPossible && this.smtp.isConfigured) await this.mails.addForAddress(email, workspace);
  }

  /** For one who has no password yet. @returns the link, where no mail is sent */
  async invite(
    transaction: Transaction,
    { id, workspaceId }: Pick<UserRow, 'id' | 'workspaceId'>,
  ): Promise<string | undefined> {
    if (!(await this.isByPassword(transaction, workspaceId))) return undefined;
    return this.send(transaction, id, 'INVITATION');
  }

  /** Invites once more. */
  async inviteAgain(userId: string, caller: Principal): Promise<string | undefined> {
    return this.help(userId, caller, 'INVITATION');
  }

  /** Tells somebody that his password is another now, where mails are sent. */
  async tellOfChange(transaction: Transaction, userId: string): Promise<void> {
    if (this.smtp.isConfigured) await this.mails.addForUser(transaction, userId, 'CHANGED');
  }

  /** For one who cannot ask himself. The password goes on working until another is set. */
  async resetFor(userId: string, caller: Principal): Promise<string | undefined> {
    return this.help(userId, caller, 'RESET');
  }

  private async help(userId: string, caller: Principal, purpose: PasswordTokenPurpose): Promise<string | undefined> {
    const link = await this.transactions.run(async (transaction) => {
      const user = await this.managed.lock(transaction, userId, caller);
      // A service account has no address, and no password.
      if (user.email === null) {
        throw new AppError('auth.user_not_found', 'There is no such user.', { path: ['userId'] });
      }
      if (!(await this.isByPassword(transaction, user.workspaceId))) throw ssoEnforced();
      if (user.disabled) throw new AppError('entity.conflict', 'This user is disabled.', { path: ['userId'] });
      const hasPassword = (await this.users.findPasswordHash(user, transaction)) !== undefined;
      if (hasPassword !== (purpose === 'RESET')) throw unfit(purpose);
      const target = { type: 'user', id: user.id, name: user.email };
      const { workspaceId } = caller;
      await this.audit.add(transaction, { action: 'user.link_made', target, workspaceId, after: { purpose } });
      return this.send(transaction, user.id, purpose);
    });
    this.logger.info({ userId, byUserId: caller.userId, purpose }, 'a link to set a password was made for a user');
    return link;
  }

  /** Whether a password is good in this workspace. */
  isByPassword(transaction: Transaction, workspaceId: string): Promise<boolean> {
    return this.workspaces.isByPassword(transaction, workspaceId, this.config.signIn.passwordWorkspaces);
  }

  private async send(
    transaction: Transaction,
    userId: string,
    purpose: PasswordTokenPurpose,
  ): Promise<string | undefined> {
    if (!this.smtp.isConfigured) return this.links.make(userId, purpose, transaction);
    await this.mails.addForUser(transaction, userId, purpose);
    return undefined;
  }
}

function ssoEnforced(): AppError {
  return new AppError('entity.conflict', 'This workspace is signed in to through its identity providers alone.', {
    path: ['userId'],
  });
}

function unfit(purpose: PasswordTokenPurpose): AppError {
  const message =
    purpose === 'RESET' ? 'This user has no password yet: invite him.' : 'This user has a password already: reset it.';
  return new AppError('entity.conflict', message, { path: ['userId'] });
}
