import { Injectable } from '@nestjs/common';
import type { accountRequests, RequestOf, ResponseOf } from '#libs/contracts';
import { AuditRepository } from '#libs/database';
import type { Principal } from '#libs/identity';
import { AppError, isId } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { TransactionRepository } from '../transaction/transaction.repository.js';
import { ApiKeyRotationRepository } from './api-key-rotation.repository.js';
import { newSecret } from './api-key-secret.js';
import { ApiKeyRepository } from './api-key.repository.js';
import { ApiKeyService } from './api-key.service.js';
import { UserRepository } from '../user/user.repository.js';
import { refuseStronger } from './refuse-stronger.js';
import { toApiKey } from './to-api-key.js';

const overlapSecondsMax = 30 * 86_400;
const managesNobody = { serviceAccounts: false, persons: false };

/** Gives an API key a new secret, while the old one goes on working for as long as it takes to hand the new one out. */
@Injectable()
export class ApiKeyRotationService {
  constructor(
    private readonly keys: ApiKeyRepository,
    private readonly apiKeys: ApiKeyService,
    private readonly rotations: ApiKeyRotationRepository,
    private readonly users: UserRepository,
    private readonly transactions: TransactionRepository,
    private readonly audit: AuditRepository,
    private readonly logger: AppLogger,
  ) {}

  async rotate(
    { id, overlapSeconds }: RequestOf<typeof accountRequests.rotateApiKey>,
    caller: Principal,
  ): Promise<ResponseOf<typeof accountRequests.rotateApiKey>> {
    if (overlapSeconds < 0 || overlapSeconds > overlapSecondsMax) {
      throw new AppError('input.invalid', `overlapSeconds must be from 0 to ${overlapSecondsMax}.`, {
        path: ['overlapSeconds'],
      });
    }
    const { userId, apiKeyId } = caller;
    // Or a key with few permissions would become one with all.
    if (apiKeyId !== undefined && apiKeyId !== id) {
      throw new AppError('auth.forbidden', 'An API key gives a new secret to itself alone.', { path: ['id'] });
    }
    const owner = await this.apiKeys.ownerOfKey(id, caller);
    const secret = newSecret();
    const row =
      isId('apiKey', id) &&
      (await this.transactions.run(async (transaction) => {
        if (owner.id !== userId) {
          const locked = await this.users.lockForToken(transaction, owner);
          if (!locked) return undefined;
          refuseStronger(locked.user, caller, 'id');
        }
        const hasNew = await this.rotations.replaceSecret(transaction, owner, id, { secret, overlapSeconds });
        if (!hasNew) return undefined;
        const record = { action: 'api_key.rotated', target: { type: 'api_key', id }, workspaceId: owner.workspaceId };
        await this.audit.add(transaction, { ...record, after: { overlapSeconds } });
        // Before the commit: once the old secret has gone, nothing is to keep the new one from its owner.
        const [rotated] = await this.keys.find(owner, [id], managesNobody, transaction);
        return rotated;
      }));
    if (!row) throw new AppError('auth.api_key_not_found', 'There is no such API key.', { path: ['id'] });
    this.logger.info({ userId, keyId: id, overlapSeconds }, 'an API key was given a new secret');
    return { apiKey: toApiKey(row), secret: secret.secret };
  }
}
