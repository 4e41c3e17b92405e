import { Inject, Injectable } from '@nestjs/common';
import type { ApiKey, authRequests, RequestOf, ResponseOf } from '#libs/contracts';
import { AuditRepository, parsePage, toPage } from '#libs/database';
import type { Principal } from '#libs/identity';
import { AppError, isId, type Clock } from '#libs/kernel';
import { CLOCK } from '#libs/service';
import { AppLogger } from '#libs/telemetry';
import { ManagedUserService } from '../account/managed-user.service.js';
import { Issues } from '../input/issues.js';
import { checkIds, checkSearchText } from '../input/text.js';
import { RevocationRepository } from '../revocation/revocation.repository.js';
import { TransactionRepository } from '../transaction/transaction.repository.js';
import { permissionsOf } from '../role/permissions-of.js';
import { UserRepository } from '../user/user.repository.js';
import type { UserKey } from '../user/user.types.js';
import { accountNotFound } from '../service-account/account-not-found.js';
import { parseApiKey } from './api-key.input.js';
import { ApiKeyRepository } from './api-key.repository.js';
import { newSecret } from './api-key-secret.js';
import { refuseStronger } from './refuse-stronger.js';
import { toApiKey } from './to-api-key.js';

/** A caller's own API keys, and those of others for who manages them: persons' to see and revoke alone. */
@Injectable()
export class ApiKeyService {
  constructor(
    private readonly keys: ApiKeyRepository,
    private readonly users: UserRepository,
    private readonly managed: ManagedUserService,
    private readonly revocations: RevocationRepository,
    private readonly transactions: TransactionRepository,
    private readonly audit: AuditRepository,
    private readonly logger: AppLogger,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async get(ids: readonly string[], caller: Principal): Promise<ApiKey[]> {
    const known = checkIds('apiKey', ids);
    if (known.length === 0) return [];
    const manages = {
      serviceAccounts: caller.permissions.has('service_account.manage'),
      persons: caller.permissions.has('user.manage'),
    };
    return (await this.keys.find(ownerOf(caller), known, manages)).map(toApiKey);
  }

  async list(
    input: RequestOf<typeof authRequests.listApiKeys>,
    caller: Principal,
  ): Promise<ResponseOf<typeof authRequests.listApiKeys>> {
    const { serviceAccountId, userId } = input;
    if (serviceAccountId !== undefined && userId !== undefined) {
      const message = 'Keys are of a service account or of a person: give serviceAccountId or userId, not both.';
      throw new AppError('input.invalid', message, { path: ['userId'] });
    }
    const owner = userId === undefined ? await this.ownerFor(serviceAccountId, caller) : personFor(userId, caller);
    const issues = new Issues();
    const search = checkSearchText(input.search, issues);
    issues.throwIfAny();
    const filters = { workspaceId: owner.workspaceId, userId: owner.id, search: search ?? null };
    const page = parsePage(input.page, 'apiKeys', filters);
    const { rows, totalCount } = await this.keys.list(owner, search, page);
    const { rows: shown, cursors, pageInfo } = toPage(rows, page, ({ id }) => [id]);
    return { apiKeys: shown.map(toApiKey), cursors, pageInfo, totalCount };
  }

  /** The secret is in the answer and nowhere else. */
  async create(
    input: RequestOf<typeof authRequests.createApiKey>,
    caller: Principal,
  ): Promise<ResponseOf<typeof authRequests.createApiKey>> {
    const secret = newSecret();
    const owner = await this.ownerFor(input.serviceAccountId, caller);
    const row = await this.transactions.run(async (transaction) => {
      // Both locked, so that neither a disabled user nor a revoked key leaves a new key behind.
      const locked = await this.users.lockForToken(transaction, owner);
      const key = caller.apiKeyId && (await this.keys.lockGood(transaction, caller.apiKeyId));
      if (!locked || (caller.apiKeyId !== undefined && !key)) throw noLongerGood();
      if (input.serviceAccountId !== undefined) refuseStronger(locked.user, caller, 'serviceAccountId');
      const maker = { permissions: caller.permissions, key: key || undefined };
      const ofOwner = input.serviceAccountId === undefined ? caller.permissions : permissionsOf(locked.user);
      const parsed = parseApiKey(input, maker, ofOwner, this.clock.nowMs());
      const made = await this.keys.insert(transaction, owner, { ...parsed, makerKeyId: caller.apiKeyId, secret });
      const { id, name, prefix, permissions, expiresAt } = made;
      const after = { name, prefix, permissions, expiresAt };
      const target = { type: 'api_key', id, name };
      await this.audit.add(transaction, { action: 'api_key.created', target, workspaceId: owner.workspaceId, after });
      return made;
    });
    this.logger.info({ userId: owner.id, keyId: row.id }, 'an API key was made');
    return { apiKey: toApiKey(row), secret: secret.secret };
  }

  /** The caller, or a service account for one who manages them. */
  private async ownerFor(serviceAccountId: string | undefined, caller: Principal): Promise<UserKey> {
    if (serviceAccountId === undefined) return ownerOf(caller);
    if (!caller.permissions.has('service_account.manage')) {
      throw new AppError('auth.forbidden', 'This needs the permission service_account.manage.');
    }
    const { workspaceId } = caller;
    const known = isId('serviceAccount', serviceAccountId)
      ? await this.users.find(workspaceId, [serviceAccountId])
      : [];
    if (known.length === 0) throw accountNotFound(['serviceAccountId']);
    return { workspaceId, id: serviceAccountId };
  }

  /** Whose key it is where the caller may manage it as a service account's, else the caller. */
  async ownerOfKey(id: string, caller: Principal): Promise<UserKey> {
    const owner = isId('apiKey', id) ? await this.keys.ownerOf(caller.workspaceId, id) : undefined;
    const isManaged = owner && isId('serviceAccount', owner.id) && caller.permissions.has('service_account.manage');
    return isManaged ? owner : ownerOf(caller);
  }

  async revoke(id: string, caller: Principal): Promise<void> {
    await this.refuseWider(id, caller);
    const owner = (await this.otherPerson(id, caller)) ?? (await this.ownerOfKey(id, caller));
    const isOfAnother = isId('user', owner.id) && owner.id !== caller.userId;
    const revoked = await this.transactions.run(async (transaction) => {
      if (isOfAnother) await this.managed.lock(transaction, owner.id, caller, 'id');
      const keys = isId('apiKey', id) ? await this.keys.revoke(transaction, owner, id) : [];
      // Those that were made with it are of service accounts, too, which may do more than its owner does by now.
      const owners = new Set(isOfAnother ? keys.map(({ userId }) => userId) : []);
      for (const userId of owners) await this.managed.lock(transaction, userId, caller, 'id');
      const { workspaceId } = owner;
      const records = keys.map(({ id: keyId, name, userId }) => ({
        action: 'api_key.revoked',
        target: { type: 'api_key', id: keyId, name },
        workspaceId,
        before: { userId },
      }));
      await this.audit.add(transaction, ...records);
      const ids = keys.map((key) => key.id);
      await this.revocations.add(transaction, 'API_KEY', ids);
      return ids;
    });
    if (revoked.length === 0) {
      throw new AppError('auth.api_key_not_found', 'There is no such API key.', { path: ['id'] });
    }
    this.logger.info({ userId: owner.id, byUserId: caller.userId, keyIds: revoked }, 'API keys were revoked');
  }

  /** Who has a key for a few things ends no key that is for more. */
  private async refuseWider(id: string, { apiKeyId, reach }: Principal): Promise<void> {
    if (apiKeyId === undefined || reach === undefined || id === apiKeyId) return;
    if (await this.keys.isMadeWith(id, apiKeyId)) return;
    throw new AppError('auth.forbidden', 'This key revokes itself and the keys that it has made.', { path: ['id'] });
  }

  /** Whose key it is where it is another person's and the caller manages users. */
  private async otherPerson(id: string, caller: Principal): Promise<UserKey | undefined> {
    if (!isId('apiKey', id) || !caller.permissions.has('user.manage')) return undefined;
    const owner = await this.keys.ownerOf(caller.workspaceId, id);
    return owner && isId('user', owner.id) && owner.id !== caller.userId ? owner : undefined;
  }
}

function ownerOf({ workspaceId, userId }: Principal): UserKey {
  return { workspaceId, id: userId };
}

/** The one of this id, of whom nothing is found where he is no person of the workspace. */
function personFor(userId: string, { workspaceId, userId: callerId, permissions }: Principal): UserKey {
  if (userId !== callerId && !permissions.has('user.manage')) {
    throw new AppError('auth.forbidden', 'Only administrators see the API keys of others.', { path: ['userId'] });
  }
  return { workspaceId, id: userId === callerId || isId('user', userId) ? userId : '' };
}

function noLongerGood(): AppError {
  return new AppError('auth.token_revoked', 'The access token is no longer good.');
}
