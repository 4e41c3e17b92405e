import { Injectable } from '@nestjs/common';
import { AppError } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { permissionsOf } from '../role/permissions-of.js';
import { tokenEnd, TokenIssuerService, type IssuedToken } from '../signing/token-issuer.service.js';
import { TransactionRepository } from '../transaction/transaction.repository.js';
import { UserRepository, type LockedUser } from '../user/user.repository.js';
import { matchesHash, prefixOf } from './api-key-secret.js';
import { ApiKeyRepository, type ApiKeyRow, type StoredSecret } from './api-key.repository.js';
import { permissionsOfKey } from './permissions-of-key.js';

const tokenTtlSeconds = 60;

/** Trades an API key for a short access token, so that every service knows one kind of proof only. */
@Injectable()
export class ApiKeyExchangeService {
  constructor(
    private readonly keys: ApiKeyRepository,
    private readonly users: UserRepository,
    private readonly issuer: TokenIssuerService,
    private readonly transactions: TransactionRepository,
    private readonly logger: AppLogger,
  ) {}

  /** @throws AppError `auth.unauthenticated`, the same for a key that is unknown, revoked, expired or of a disabled user */
  async exchange(secret: string): Promise<IssuedToken> {
    const stored = await this.find(secret);
    const issued =
      stored &&
      (await this.transactions.run(async (transaction) => {
        // Locked in the order in which others lock them.
        const key = await this.keys.lockGood(transaction, stored.id);
        const locked = key && (await this.users.lockForToken(transaction, stored.owner));
        return locked && this.issue(key, locked);
      }));
    if (!issued) throw new AppError('auth.unauthenticated', 'The API key is unknown, has expired or was revoked.');
    await this.touch(stored.id);
    return issued;
  }

  private async find(secret: string): Promise<StoredSecret | undefined> {
    const prefix = prefixOf(secret);
    const stored = prefix === undefined ? undefined : await this.keys.findSecret(prefix);
    return stored && matchesHash(secret, stored.secretHash) ? stored : undefined;
  }

  /** What the key allows of what its maker may do now. */
  private issue(key: ApiKeyRow, { user, issuedAt }: LockedUser): Promise<IssuedToken> {
    return this.issuer.issue({
      userId: user.id,
      workspaceId: user.workspaceId,
      apiKeyId: key.id,
      permissions: permissionsOfKey(key, permissionsOf(user)),
      ...(key.dataSourceIds && key.savedQueryIds
        ? { reach: { dataSourceIds: key.dataSourceIds, savedQueryIds: key.savedQueryIds } }
        : {}),
      ...(key.networks ? { networks: key.networks } : {}),
      groups: user.groupNames,
      issuedAt,
      expiresAt: tokenEnd(issuedAt, tokenTtlSeconds, key.expiresAt),
    });
  }

  /** When a key was last used is for its owner's eyes; a failure to note it refuses nobody. */
  private async touch(id: string): Promise<void> {
    try {
      await this.keys.touch(id);
    } catch (err) {
      this.logger.warn({ err, keyId: id }, 'the use of an API key could not be noted');
    }
  }
}
