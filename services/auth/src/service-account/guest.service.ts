import { Injectable } from '@nestjs/common';
import type { RequestOf, ResponseOf, serviceAccountRequests } from '#libs/contracts';
import { AuditRepository } from '#libs/database';
import type { Permission, Principal } from '#libs/identity';
import { AppError, isId, newId } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { ApiKeyRepository } from '../api-key/api-key.repository.js';
import { RevocationRepository } from '../revocation/revocation.repository.js';
import { permissionsOf } from '../role/permissions-of.js';
import { tokenEnd, TokenIssuerService } from '../signing/token-issuer.service.js';
import { TransactionRepository } from '../transaction/transaction.repository.js';
import { UserRepository } from '../user/user.repository.js';
import { accountNotFound } from './account-not-found.js';
import { parseGuest } from './guest.input.js';

/** All that a guest may do: never SQL of its own. */
const lent: Permission = 'saved_query.run';

/** Short-lived tokens for people without an account, who look at something that a program has embedded. */
@Injectable()
export class GuestService {
  constructor(
    private readonly users: UserRepository,
    private readonly keys: ApiKeyRepository,
    private readonly issuer: TokenIssuerService,
    private readonly revocations: RevocationRepository,
    private readonly transactions: TransactionRepository,
    private readonly audit: AuditRepository,
    private readonly logger: AppLogger,
  ) {}

  /** The guest sees what the service account may run, with the attributes and groups that it is given here. */
  async mint(
    input: RequestOf<typeof serviceAccountRequests.mintGuest>,
    caller: Principal,
  ): Promise<ResponseOf<typeof serviceAccountRequests.mintGuest>> {
    if (!isId('serviceAccount', caller.userId)) {
      throw new AppError('auth.forbidden', 'Only a service account lets guests in.');
    }
    const { reach, guest, ttlSeconds } = parseGuest(input, caller);
    const { workspaceId, userId, apiKeyId } = caller;
    const guestId = newId('guest');
    const issued = await this.transactions.run(async (transaction) => {
      // Both locked, so that no guest is left behind by what is revoked meanwhile.
      const key = apiKeyId === undefined ? undefined : await this.keys.lockGood(transaction, apiKeyId);
      const locked = await this.users.lockForToken(transaction, { workspaceId, id: userId });
      if (!locked || (apiKeyId !== undefined && !key)) {
        throw new AppError('auth.token_revoked', 'The access token is no longer good.');
      }
      const { user, issuedAt } = locked;
      const target = { type: 'guest', id: guestId };
      const after = { savedQueryIds: reach.savedQueryIds, parameterNames: Object.keys(guest.parameters) };
      await this.audit.add(transaction, { action: 'guest.minted', workspaceId, target, after });
      const isLent = caller.permissions.has(lent) && permissionsOf(user).has(lent);
      return this.issuer.issue({
        ...{ userId: guestId, workspaceId, apiKeyId, reach, guest, issuedAt },
        permissions: new Set(isLent ? [lent] : []),
        groups: user.groupNames,
        expiresAt: tokenEnd(issuedAt, ttlSeconds, key?.expiresAt),
      });
    });
    this.logger.info({ guestId, serviceAccountId: userId, savedQueryIds: reach.savedQueryIds }, 'a guest was let in');
    return { ...issued, guestId };
  }

  /** From then on every guest that the account has let in is refused. */
  async revokeAllOf(serviceAccountId: string, caller: Principal): Promise<void> {
    const { workspaceId, userId, permissions } = caller;
    if (serviceAccountId !== userId && !permissions.has('service_account.manage')) {
      throw accountNotFound(['serviceAccountId']);
    }
    if (!isId('serviceAccount', serviceAccountId)) throw accountNotFound(['serviceAccountId']);
    await this.transactions.run(async (transaction) => {
      await this.users.lock(transaction, { workspaceId, id: serviceAccountId }).catch((error: unknown) => {
        if (error instanceof AppError && error.code === 'auth.user_not_found')
          throw accountNotFound(['serviceAccountId']);
        throw error;
      });
      const target = { type: 'service_account', id: serviceAccountId };
      await this.audit.add(transaction, { action: 'guest.revoked', workspaceId, target });
      await this.revocations.add(transaction, 'GUESTS_OF', [serviceAccountId]);
    });
    this.logger.info({ serviceAccountId, byUserId: userId }, 'the guests of a service account were revoked');
  }
}
