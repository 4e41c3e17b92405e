import { Injectable } from '@nestjs/common';
import type { authRequests, RequestOf, ResponseOf, User } from '#libs/contracts';
import { AuditRepository, parsePage, toPage } from '#libs/database';
import type { Principal } from '#libs/identity';
import { AppError, changedMeanwhile, isId } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { PasswordHelpService } from '../account/password-help.service.js';
import { Issues } from '../input/issues.js';
import { checkIds, checkSearch } from '../input/text.js';
import { PasswordTokenRepository } from '../password/password-token.repository.js';
import { PasswordService } from '../password/password.service.js';
import { permissionsOf } from '../role/permissions-of.js';
import { RoleRepository } from '../role/role.repository.js';
import { RevocationRepository } from '../revocation/revocation.repository.js';
import { SessionRepository } from '../session/session.repository.js';
import { TransactionRepository, type Transaction } from '../transaction/transaction.repository.js';
import { auditedChange, auditedNewUser } from './audited-user.js';
import { changesRights } from './changes-rights.js';
import { toUser } from './to-user.js';
import { checkRoles, parseNewUser, parseUserChange } from './user.input.js';
import { UserRepository } from './user.repository.js';
import type { UserChange, UserRow } from './user.types.js';

/** The users of a workspace, as those see and manage them who may. */
@Injectable()
export class UserService {
  constructor(
    private readonly transactions: TransactionRepository,
    private readonly users: UserRepository,
    private readonly sessions: SessionRepository,
    private readonly revocations: RevocationRepository,
    private readonly passwords: PasswordService,
    private readonly audit: AuditRepository,
    private readonly help: PasswordHelpService,
    private readonly passwordTokens: PasswordTokenRepository,
    private readonly roles: RoleRepository,
    private readonly logger: AppLogger,
  ) {}

  /** Those of them that are in the caller's workspace. */
  async get(ids: readonly string[], caller: Principal): Promise<User[]> {
    const known = caller.guest ? [] : checkIds('user', ids);
    if (known.length === 0) return [];
    return (await this.users.find(caller.workspaceId, known)).map((row) => toUser(row, caller));
  }

  /** The caller's own row. @throws AppError `auth.user_not_found` */
  async getSelf({ workspaceId, userId }: Principal): Promise<UserRow> {
    const [row] = await this.users.find(workspaceId, [userId]);
    if (!row) throw new AppError('auth.user_not_found', 'There is no such user.');
    return row;
  }

  /** What they may do now; those who are gone or disabled are left out. */
  async rightsOf(
    workspaceId: string,
    ids: readonly string[],
  ): Promise<ResponseOf<typeof authRequests.listUserRights>['users']> {
    const rows = await this.users.find(workspaceId, ids);
    return rows
      .filter(({ disabled }) => !disabled)
      .map((row) => ({ userId: row.id, permissions: [...permissionsOf(row)], groupNames: row.groupNames }));
  }

  async list(
    input: RequestOf<typeof authRequests.listUsers>,
    caller: Principal,
  ): Promise<ResponseOf<typeof authRequests.listUsers>> {
    const { workspaceId } = caller;
    const issues = new Issues();
    const search = checkSearch(input.search, issues);
    issues.throwIfAny();
    const filters = { workspaceId, search: search ?? null };
    const page = parsePage(input.page, 'users', filters, ['string', 'string']);
    const { rows, totalCount } = await this.users.list(workspaceId, search, page);
    const { rows: shown, cursors, pageInfo } = toPage(rows, page, ({ nameKey, id }) => [nameKey, id]);
    return { users: shown.map((row) => toUser(row, caller)), cursors, pageInfo, totalCount };
  }

  /** Who gets no password is invited to set one. */
  async create(
    input: RequestOf<typeof authRequests.createUser>,
    caller: Principal,
  ): Promise<ResponseOf<typeof authRequests.createUser>> {
    const { password, ...user } = parseNewUser(input, await this.roles.all(caller.workspaceId), caller.permissions);
    const passwordHash = password === undefined ? undefined : await this.passwords.hash(password);
    const { row, invitationUrl } = await this.transactions.run(async (transaction) => {
      checkRoles(user.roleNames, await this.roles.lockAll(transaction, caller.workspaceId), caller.permissions);
      const inserted = await this.users.insert(transaction, caller.workspaceId, { ...user, passwordHash });
      const url = passwordHash === undefined ? await this.help.invite(transaction, inserted) : undefined;
      await this.audit.add(transaction, auditedNewUser(inserted));
      return { row: inserted, invitationUrl: url };
    });
    this.logger.info({ userId: row.id, byUserId: caller.userId, roles: row.roleNames }, 'a user was made');
    return { user: toUser(row, caller), ...(invitationUrl === undefined ? {} : { invitationUrl }) };
  }

  /** Tokens from before a change of rights are refused from its commit on. */
  async update(input: RequestOf<typeof authRequests.updateUser>, caller: Principal): Promise<User> {
    if (!isId('user', input.id)) throw new AppError('auth.user_not_found', 'There is no such user.', { path: ['id'] });
    return toUser(await this.change(input, caller), caller);
  }

  /** A person or a service account. */
  async change(input: RequestOf<typeof authRequests.updateUser>, caller: Principal): Promise<UserRow> {
    const change = parseUserChange(input);
    const row = await this.transactions.run(async (transaction) => {
      const known = await this.roles.lockAll(transaction, caller.workspaceId);
      const current = await this.users.lock(transaction, { workspaceId: caller.workspaceId, id: input.id });
      if (current.version !== input.version) throw changedMeanwhile('The user');
      checkRoles(change.roleNames ?? [], known, caller.permissions, current.roleNames);
      await this.refuseUnsafe(transaction, current, change, caller);
      const changed = await this.users.update(transaction, current, change);
      if (change.disabled === true) await this.sessions.endAllOf(transaction, current.id);
      await this.audit.add(transaction, auditedChange(current, changed));
      if (changesRights(current, changed)) {
        // Who was given a link to set this password may have been stronger than the user then, and is weaker now.
        await this.passwordTokens.deleteOf(transaction, [current.id]);
        await this.revocations.add(transaction, 'USER', [current.id]);
      }
      return changed;
    });
    this.logger.info({ userId: row.id, byUserId: caller.userId, fields: Object.keys(change) }, 'a user was changed');
    return row;
  }

  private async refuseUnsafe(
    transaction: Transaction,
    current: UserRow,
    change: UserChange,
    caller: Principal,
  ): Promise<void> {
    const issues = new Issues();
    if ([...permissionsOf(current)].some((permission) => !caller.permissions.has(permission))) {
      issues.forbid(['id'], 'This user has permissions that you do not have.');
    }
    issues.throwIfAny();
    const wasAdministrator = isAdministrator(current);
    if (!wasAdministrator || isAdministrator({ ...current, ...change })) return;
    if (await this.users.hasOtherAdministrator(transaction, current)) return;
    throw new AppError('input.invalid', 'This is the last enabled administrator of the workspace.', {
      path: [change.disabled === true ? 'disabled' : 'roleNames'],
    });
  }
}

function isAdministrator({
  roleNames,
  disabled,
}: Pick<UserRow, 'disabled'> & { roleNames: readonly string[] }): boolean {
  return !disabled && roleNames.includes('admin');
}
