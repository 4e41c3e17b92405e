import { Injectable } from '@nestjs/common';
import type { Group, groupRequests, RequestOf, ResponseOf } from '#libs/contracts';
import { AuditRepository, parsePage, toPage, type AuditRecord } from '#libs/database';
import type { Principal } from '#libs/identity';
import { AppError, isId } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { Issues } from '../input/issues.js';
import { checkIds, checkSearchText } from '../input/text.js';
import { RevocationRepository } from '../revocation/revocation.repository.js';
import { permissionsOf } from '../role/permissions-of.js';
import { TransactionRepository, type Transaction } from '../transaction/transaction.repository.js';
import { membersOf } from './audited-members.js';
import { checkGroupName } from './group-names.js';
import { GroupMemberRepository } from './group-member.repository.js';
import { ManagedGroupRepository } from './managed-group.repository.js';
import { toUser } from './to-user.js';
import type { UserRow } from './user.types.js';

type Requests = typeof groupRequests;

const idsMax = 1_000;

/** The groups of a workspace, as those see and fill them who manage users. */
@Injectable()
export class ManagedGroupService {
  constructor(
    private readonly groups: ManagedGroupRepository,
    private readonly memberships: GroupMemberRepository,
    private readonly revocations: RevocationRepository,
    private readonly transactions: TransactionRepository,
    private readonly audit: AuditRepository,
    private readonly logger: AppLogger,
  ) {}

  async get(ids: readonly string[], { workspaceId }: Principal): Promise<Group[]> {
    const known = checkIds('group', ids);
    return known.length === 0 ? [] : this.groups.find(workspaceId, known);
  }

  async list(
    input: RequestOf<Requests['listGroups']>,
    { workspaceId }: Principal,
  ): Promise<ResponseOf<Requests['listGroups']>> {
    const issues = new Issues();
    const search = checkSearchText(input.search, issues);
    issues.throwIfAny();
    const page = parsePage(input.page, 'groups', { workspaceId, search: search ?? null });
    const { rows, totalCount } = await this.groups.list(workspaceId, search, page);
    const { rows: groups, cursors, pageInfo } = toPage(rows, page, ({ name }) => [name]);
    return { groups, cursors, pageInfo, totalCount };
  }

  async members(
    input: RequestOf<Requests['listGroupMembers']>,
    caller: Principal,
  ): Promise<ResponseOf<Requests['listGroupMembers']>> {
    const { workspaceId } = caller;
    const key = { workspaceId, id: isId('group', input.groupId) ? input.groupId : '' };
    const page = parsePage(input.page, 'group members', { ...key }, ['string', 'string']);
    const { rows, totalCount } = await this.groups.members(key, page);
    const { rows: shown, cursors, pageInfo } = toPage(rows, page, ({ nameKey, id }) => [nameKey, id]);
    return { users: shown.map((row) => toUser(row, caller)), cursors, pageInfo, totalCount };
  }

  async create(input: RequestOf<Requests['createGroup']>, { workspaceId, userId }: Principal): Promise<Group> {
    const issues = new Issues();
    const name = checkGroupName(input.name, ['name'], issues);
    issues.throwIfAny();
    const group = await this.transactions.run(async (transaction) => {
      const made = await this.groups.insert(transaction, workspaceId, name);
      await this.audit.add(transaction, record('group.created', workspaceId, made));
      return made;
    });
    this.logger.info({ groupId: group.id, userId }, 'a group was made');
    return group;
  }

  /** Who comes or goes has a new token on the next request, as after every change of rights. */
  async changeMembers(input: RequestOf<Requests['changeGroupMembers']>, caller: Principal): Promise<Group> {
    const { workspaceId, userId } = caller;
    const [addedUserIds, removedUserIds] = [checkUserIds(input.addedUserIds), checkUserIds(input.removedUserIds)];
    const key = { workspaceId, id: input.id };
    const ids = [...addedUserIds, ...removedUserIds];
    const group = await this.transactions.run(async (transaction) => {
      const current = await this.groups.lock(transaction, key);
      refuseHigher(await this.memberships.lockUsers(transaction, workspaceId, ids), caller, ['userIds']);
      const removed = await this.memberships.remove(transaction, key, removedUserIds);
      const added = await this.memberships.add(transaction, key, addedUserIds, ['userIds']);
      if (added.length + removed.length === 0) return current;
      const changed = await this.groups.touch(transaction, key.id);
      const after = { ...membersOf('added', added), ...membersOf('removed', removed) };
      await this.audit.add(transaction, { ...record('group.updated', workspaceId, changed), after });
      await this.revocations.add(transaction, 'USER', [...new Set([...added, ...removed])]);
      return changed;
    });
    this.logger.info({ groupId: group.id, userId }, 'the members of a group were changed');
    return group;
  }

  /** @throws AppError `auth.in_use` while an identity provider puts users into it */
  async delete(id: string, caller: Principal): Promise<void> {
    const { workspaceId, userId } = caller;
    const key = { workspaceId, id };
    await this.transactions.run(async (transaction) => {
      const current = await this.groups.lock(transaction, key);
      await this.refuseNamed(transaction, workspaceId, current);
      const removed = await this.memberships.removeEveryone(transaction, key);
      refuseHigher(await this.memberships.lockUsers(transaction, workspaceId, removed), caller, ['id']);
      await this.groups.delete(transaction, id);
      const before = membersOf('removed', removed);
      await this.audit.add(transaction, { ...record('group.deleted', workspaceId, current), before });
      await this.revocations.add(transaction, 'USER', removed);
    });
    this.logger.info({ groupId: id, userId }, 'a group was deleted');
  }

  private async refuseNamed(transaction: Transaction, workspaceId: string, { name }: Group): Promise<void> {
    const provider = await this.groups.providerNaming(transaction, workspaceId, name);
    if (provider === undefined) return;
    throw new AppError('auth.in_use', `The identity provider ${provider} has a rule that names this group.`, {
      path: ['id'],
    });
  }
}

function checkUserIds(ids: readonly string[]): readonly string[] {
  if (ids.length > idsMax) {
    throw new AppError('input.too_large', `At most ${idsMax} users at once.`, { path: ['userIds'] });
  }
  const strange = ids.findIndex((id) => !isId('user', id));
  if (strange === -1) return ids;
  throw new AppError('auth.user_not_found', 'There is no user of this id.', { path: ['userIds', String(strange)] });
}

/** Changing the groups of those who may do more would be taking over, as changing them is. */
function refuseHigher(users: readonly UserRow[], caller: Principal, path: readonly string[]): void {
  const higher = users.some((user) => [...permissionsOf(user)].some((name) => !caller.permissions.has(name)));
  if (higher)
    throw new AppError('auth.forbidden', 'One of these users has permissions that you do not have.', { path });
}

function record(action: string, workspaceId: string, { id, name }: Group): AuditRecord {
  return { action, workspaceId, target: { type: 'group', id, name } };
}
