import { Injectable } from '@nestjs/common';
import type { RequestOf, ResponseOf, Role, roleRequests } from '#libs/contracts';
import { AuditRepository, parsePage, toPage } from '#libs/database';
import { isPermission, isRoleName, type Principal } from '#libs/identity';
import { AppError, changedMeanwhile } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { Issues } from '../input/issues.js';
import { checkPermissions } from '../input/permissions.js';
import { checkIds, checkName, checkSearchText } from '../input/text.js';
import { PasswordTokenRepository } from '../password/password-token.repository.js';
import { RevocationRepository } from '../revocation/revocation.repository.js';
import { TransactionRepository } from '../transaction/transaction.repository.js';
import { RoleRepository } from './role.repository.js';

const nameMax = 64;
const rolesMax = 200;

/** Named sets of permissions that a workspace makes for itself. The built-in ones are fixed. */
@Injectable()
export class RoleService {
  constructor(
    private readonly roles: RoleRepository,
    private readonly passwordTokens: PasswordTokenRepository,
    private readonly revocations: RevocationRepository,
    private readonly transactions: TransactionRepository,
    private readonly audit: AuditRepository,
    private readonly logger: AppLogger,
  ) {}

  async get(ids: readonly string[], { workspaceId }: Principal): Promise<Role[]> {
    const known = checkIds('role', ids);
    return known.length === 0 ? [] : this.roles.find(workspaceId, known);
  }

  async list(
    input: RequestOf<typeof roleRequests.listRoles>,
    { workspaceId }: Principal,
  ): Promise<ResponseOf<typeof roleRequests.listRoles>> {
    const issues = new Issues();
    const search = checkSearchText(input.search, issues);
    issues.throwIfAny();
    const page = parsePage(input.page, 'roles', { workspaceId, search: search ?? null });
    const { rows, totalCount } = await this.roles.list(workspaceId, search, page);
    const { rows: roles, cursors, pageInfo } = toPage(rows, page, ({ name }) => [name]);
    return { roles, cursors, pageInfo, totalCount };
  }

  async create(input: RequestOf<typeof roleRequests.createRole>, caller: Principal): Promise<Role> {
    const { workspaceId, userId } = caller;
    const issues = new Issues();
    const name = checkName(input.name, ['name'], issues, nameMax);
    if (isRoleName(name)) issues.add(['name'], 'This is the name of a built-in role.');
    const permissions = checkPermissions(input.permissions, caller.permissions, issues);
    issues.throwIfAny();
    const role = await this.transactions.run(async (transaction) => {
      if ((await this.roles.count(transaction, workspaceId)) >= rolesMax) {
        throw new AppError('input.too_large', `A workspace has at most ${rolesMax} roles of its own.`);
      }
      const made = await this.roles.insert(transaction, workspaceId, { name, permissions });
      await this.audit.add(transaction, { action: 'role.created', workspaceId, target: targetOf(made), after: made });
      return made;
    });
    this.logger.info({ roleId: role.id, userId, permissions }, 'a role was made');
    return role;
  }

  /** Whoever has it must take a new token, which goes by what it allows now. */
  async update(input: RequestOf<typeof roleRequests.updateRole>, caller: Principal): Promise<Role> {
    const { workspaceId, userId } = caller;
    const issues = new Issues();
    const permissions = checkPermissions(input.permissions, caller.permissions, issues);
    issues.throwIfAny();
    const role = await this.transactions.run(async (transaction) => {
      const current = await this.roles.lock(transaction, workspaceId, input.id);
      refuseHigher(current, caller);
      if (current.version !== input.version) throw changedMeanwhile('The role');
      const holders = await this.roles.lockHolders(transaction, workspaceId, current.name);
      const changed = await this.roles.update(transaction, current.id, permissions);
      const sides = { before: current, after: changed };
      await this.audit.add(transaction, { action: 'role.updated', workspaceId, target: targetOf(changed), ...sides });
      // Who was given a link to set a holder's password may have been stronger than the holder then, and is weaker now.
      await this.passwordTokens.deleteOf(transaction, holders);
      await this.revocations.add(transaction, 'USER', holders);
      return changed;
    });
    this.logger.info({ roleId: role.id, userId, permissions }, 'a role was changed');
    return role;
  }

  /** @throws AppError `auth.in_use` while somebody has it, or an identity provider gives it */
  async delete(id: string, caller: Principal): Promise<void> {
    const { workspaceId, userId } = caller;
    await this.transactions.run(async (transaction) => {
      const current = await this.roles.lock(transaction, workspaceId, id);
      refuseHigher(current, caller);
      const holders = await this.roles.lockHolders(transaction, workspaceId, current.name);
      if (holders.length > 0) {
        throw new AppError('auth.in_use', 'Somebody still has this role. Take it from them first.', { path: ['id'] });
      }
      const provider = await this.roles.providerNaming(transaction, workspaceId, current.name);
      if (provider !== undefined) {
        const message = `The identity provider ${provider} has a rule that names this role.`;
        throw new AppError('auth.in_use', message, { path: ['id'] });
      }
      await this.roles.delete(transaction, id);
      await this.audit.add(transaction, {
        action: 'role.deleted',
        workspaceId,
        target: targetOf(current),
        before: current,
      });
    });
    this.logger.info({ roleId: id, userId }, 'a role was deleted');
  }
}

/** Nobody takes from those who have more. */
function refuseHigher({ permissions }: Role, caller: Principal): void {
  const excess = permissions.filter(isPermission).find((permission) => !caller.permissions.has(permission));
  if (excess === undefined) return;
  throw new AppError('auth.forbidden', `This role has the permission ${excess}, which you do not have.`, {
    path: ['id'],
  });
}

function targetOf({ id, name }: Role): { type: string; id: string; name: string } {
  return { type: 'role', id, name };
}
