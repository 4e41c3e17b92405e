import { Injectable } from '@nestjs/common';
import type { RequestOf, ResponseOf, ServiceAccount, serviceAccountRequests } from '#libs/contracts';
import { AuditRepository, parsePage, toPage } from '#libs/database';
import type { Principal } from '#libs/identity';
import { isId } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { Issues } from '../input/issues.js';
import { checkIds, checkSearch } from '../input/text.js';
import { RoleRepository } from '../role/role.repository.js';
import { TransactionRepository } from '../transaction/transaction.repository.js';
import { auditedNewUser } from '../user/audited-user.js';
import { checkRoles, parseUserChange } from '../user/user.input.js';
import { UserService } from '../user/user.service.js';
import type { UserRow } from '../user/user.types.js';
import { accountNotFound } from './account-not-found.js';
import { ServiceAccountRepository } from './service-account.repository.js';

/** Programs that ask in their own name. */
@Injectable()
export class ServiceAccountService {
  constructor(
    private readonly accounts: ServiceAccountRepository,
    private readonly users: UserService,
    private readonly roles: RoleRepository,
    private readonly transactions: TransactionRepository,
    private readonly audit: AuditRepository,
    private readonly logger: AppLogger,
  ) {}

  /** Whoever sees what they have done sees their names. */
  async get(ids: readonly string[], caller: Principal): Promise<ServiceAccount[]> {
    const known = caller.guest ? [] : checkIds('serviceAccount', ids);
    if (known.length === 0) return [];
    return (await this.accounts.find(caller.workspaceId, known)).map((row) => toServiceAccount(row, caller));
  }

  async list(
    input: RequestOf<typeof serviceAccountRequests.listServiceAccounts>,
    caller: Principal,
  ): Promise<ResponseOf<typeof serviceAccountRequests.listServiceAccounts>> {
    const { workspaceId } = caller;
    const issues = new Issues();
    const search = checkSearch(input.search, issues);
    issues.throwIfAny();
    const page = parsePage(input.page, 'serviceAccounts', { workspaceId, search: search ?? null }, [
      'string',
      'string',
    ]);
    const { rows, totalCount } = await this.accounts.list(workspaceId, search, page);
    const { rows: shown, cursors, pageInfo } = toPage(rows, page, ({ nameKey, id }) => [nameKey, id]);
    return { serviceAccounts: shown.map((row) => toServiceAccount(row, caller)), cursors, pageInfo, totalCount };
  }

  async create(
    input: RequestOf<typeof serviceAccountRequests.createServiceAccount>,
    caller: Principal,
  ): Promise<ServiceAccount> {
    const { name, attributes = {} } = input;
    const {
      roleNames = [],
      groupNames = [],
      ...checked
    } = parseUserChange({
      ...{ id: '', version: 0, cleared: [], name, attributes },
      roleNames: { values: input.roleNames },
      groupNames: { values: input.groupNames },
    });
    const account = { name: checked.name ?? '', attributes: checked.attributes ?? {}, roleNames, groupNames };
    const row = await this.transactions.run(async (transaction) => {
      checkRoles(roleNames, await this.roles.lockAll(transaction, caller.workspaceId), caller.permissions);
      const made = await this.accounts.insert(transaction, caller.workspaceId, account);
      await this.audit.add(transaction, { ...auditedNewUser(made), action: 'service_account.created' });
      return made;
    });
    this.logger.info({ serviceAccountId: row.id, byUserId: caller.userId }, 'a service account was made');
    return toServiceAccount(row, caller);
  }

  async update(
    input: RequestOf<typeof serviceAccountRequests.updateServiceAccount>,
    caller: Principal,
  ): Promise<ServiceAccount> {
    if (!isId('serviceAccount', input.id)) throw accountNotFound(['id']);
    return toServiceAccount(await this.users.change(input, caller), caller);
  }
}

function toServiceAccount(row: UserRow, caller: Principal): ServiceAccount {
  const { id, name, disabled, version, createdAt } = row;
  const privateReadable = id === caller.userId || caller.permissions.has('service_account.manage');
  return {
    ...{ id, name, disabled, version, createdAt, privateReadable },
    roleNames: privateReadable ? row.roleNames : [],
    groupNames: privateReadable ? row.groupNames : [],
    ...(privateReadable ? { attributes: row.attributes } : {}),
  };
}
