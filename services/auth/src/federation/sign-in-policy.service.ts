import { Injectable } from '@nestjs/common';
import { AuditRepository } from '#libs/database';
import type { Principal } from '#libs/identity';
import { AppError } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { IdentityProviderRepository } from '../identity-provider/identity-provider.repository.js';
import { TransactionRepository, type Transaction } from '../transaction/transaction.repository.js';
import { WorkspaceRepository } from '../workspace/workspace.repository.js';

/** Whether passwords are good in a workspace, or providers alone. */
@Injectable()
export class SignInPolicyService {
  constructor(
    private readonly workspaces: WorkspaceRepository,
    private readonly providers: IdentityProviderRepository,
    private readonly transactions: TransactionRepository,
    private readonly audit: AuditRepository,
    private readonly logger: AppLogger,
  ) {}

  isSsoEnforced({ workspaceId }: Principal): Promise<boolean> {
    return this.workspaces.isSsoEnforced(workspaceId);
  }

  /** Whether it can be set. @throws AppError `input.invalid` where nobody could sign in any more */
  async check(isEnforced: boolean, { workspaceId }: Principal): Promise<void> {
    await this.transactions.run((transaction) => this.refuseLockOut(transaction, workspaceId, isEnforced));
  }

  /** @throws AppError `input.invalid` where nobody could sign in any more */
  async enforceSso(isEnforced: boolean, { workspaceId, userId }: Principal): Promise<void> {
    await this.transactions.run(async (transaction) => {
      const wasEnforced = await this.workspaces.lockSsoEnforced(transaction, workspaceId);
      await this.refuseLockOut(transaction, workspaceId, isEnforced);
      await this.workspaces.setSsoEnforced(transaction, workspaceId, isEnforced);
      const target = { type: 'workspace', id: workspaceId } as const;
      const [before, after] = [{ ssoEnforced: wasEnforced }, { ssoEnforced: isEnforced }];
      await this.audit.add(transaction, { action: 'workspace.updated', target, workspaceId, before, after });
    });
    this.logger.info({ workspaceId, byUserId: userId, isEnforced }, 'the enforcement of single sign-on was set');
  }

  private async refuseLockOut(transaction: Transaction, workspaceId: string, isEnforced: boolean): Promise<void> {
    if (!isEnforced || (await this.providers.hasEnabled(transaction, workspaceId))) return;
    throw new AppError('input.invalid', 'There is no enabled identity provider to sign in through.', {
      path: ['ssoEnforced'],
    });
  }
}
