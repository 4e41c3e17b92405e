import { Injectable } from '@nestjs/common';
import { AuditRepository } from '#libs/database';
import { permissionsOfRoles, type Permission } from '#libs/identity';
import { AppError } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { tokenEnd, TokenIssuerService } from '../signing/token-issuer.service.js';
import { TransactionRepository } from '../transaction/transaction.repository.js';
import { UserRepository } from '../user/user.repository.js';

const tokenTtlSeconds = 60;
/** What may be done for somebody who is not there: a saved query has somebody who vouches for its text. */
const lent: Permission = 'saved_query.run';

/** Tokens for what a service does in a user's name: with the user's groups and attributes, and less than the user's rights. */
@Injectable()
export class ActForService {
  constructor(
    private readonly users: UserRepository,
    private readonly issuer: TokenIssuerService,
    private readonly transactions: TransactionRepository,
    private readonly audit: AuditRepository,
    private readonly logger: AppLogger,
  ) {}

  /** @throws AppError `auth.user_not_found`, also for a user who is disabled */
  async issue(workspaceId: string, userId: string): Promise<string> {
    const issued = await this.transactions.run(async (transaction) => {
      const locked = await this.users.lockForToken(transaction, { workspaceId, id: userId });
      if (!locked) return undefined;
      const { user, issuedAt } = locked;
      const target = { type: 'user', id: userId, name: user.email };
      await this.audit.add(transaction, { action: 'user.acted_for', target, workspaceId });
      return this.issuer.issue({
        userId,
        workspaceId,
        permissions: new Set(permissionsOfRoles(user.roleNames).has(lent) ? [lent] : []),
        groups: user.groupNames,
        issuedAt,
        expiresAt: tokenEnd(issuedAt, tokenTtlSeconds),
      });
    });
    if (!issued) throw new AppError('auth.user_not_found', 'There is no such user.');
    this.logger.info({ userId }, 'a token was issued for what is done in a user’s name');
    return issued.accessToken;
  }
}
