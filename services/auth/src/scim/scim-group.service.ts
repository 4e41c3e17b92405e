import { Injectable } from '@nestjs/common';
import type { RequestOf, ResponseOf, ScimGroup, scimRequests } from '#libs/contracts';
import { AuditRepository } from '#libs/database';
import type { Principal } from '#libs/identity';
import { AppError, changedMeanwhile } from '#libs/kernel';
import { Issues } from '../input/issues.js';
import { checkName } from '../input/text.js';
import { RevocationRepository } from '../revocation/revocation.repository.js';
import { TransactionRepository, type Transaction } from '../transaction/transaction.repository.js';
import { membersOf } from '../user/audited-members.js';
import { GroupMemberRepository } from '../user/group-member.repository.js';
import { checkGroupNames } from '../user/group-names.js';
import { ScimGroupRepository } from './scim-group.repository.js';
import { memberIdsMax, toScimPage } from './scim.types.js';

type Requests = typeof scimRequests;

/** Groups as an identity provider makes, fills and takes them away. Their names are keys: policies and grants name them. */
@Injectable()
export class ScimGroupService {
  constructor(
    private readonly transactions: TransactionRepository,
    private readonly groups: ScimGroupRepository,
    private readonly memberships: GroupMemberRepository,
    private readonly revocations: RevocationRepository,
    private readonly audit: AuditRepository,
  ) {}

  list(
    input: RequestOf<Requests['listScimGroups']>,
    { workspaceId }: Principal,
  ): Promise<ResponseOf<Requests['listScimGroups']>> {
    return this.groups.list(workspaceId, toScimPage(input));
  }

  async members(
    { groupId, afterId }: RequestOf<Requests['listScimMembers']>,
    { workspaceId }: Principal,
  ): Promise<ResponseOf<Requests['listScimMembers']>> {
    return { members: await this.groups.members({ workspaceId, id: groupId }, afterId) };
  }

  async create(input: RequestOf<Requests['createScimGroup']>, { workspaceId }: Principal): Promise<ScimGroup> {
    const issues = new Issues();
    const [name = ''] = checkGroupNames([input.displayName], ['displayName'], issues);
    const externalId = input.externalId === undefined ? undefined : checkName(input.externalId, ['externalId'], issues);
    issues.throwIfAny();
    refuseTooManyIds(input.memberIds.length);
    return this.transactions.run(async (transaction) => {
      const key = await this.groups.insert(transaction, workspaceId, { name, externalId });
      const added = await this.memberships.add(transaction, key, input.memberIds);
      const group = await this.groups.lock(transaction, key);
      const after = { displayName: name, externalId, ...membersOf('added', added) };
      await this.record(transaction, workspaceId, group, { action: 'group.created', after });
      await this.revocations.add(transaction, 'USER', added);
      return group;
    });
  }

  /** Members who came or went have a new token on their next request: the one before is refused within seconds. */
  async patch(input: RequestOf<Requests['patchScimGroup']>, { workspaceId }: Principal): Promise<ScimGroup> {
    const key = { workspaceId, id: input.id };
    refuseTooManyIds(
      input.changes.reduce((sum, { addedIds, removedIds }) => sum + addedIds.length + removedIds.length, 0),
    );
    return this.transactions.run(async (transaction) => {
      const current = await this.groups.lock(transaction, key);
      if (input.version !== undefined && input.version !== current.version) throw changedMeanwhile();
      if (input.displayName !== undefined && input.displayName !== current.displayName) throw nameIsKey();
      const touched = await this.changeMembers(transaction, key, input.changes);
      const isChanged = touched.added.length + touched.removed.length > 0;
      const hasNewId = input.externalId !== undefined && input.externalId !== current.externalId;
      if (!isChanged && !hasNewId) return current;
      await this.groups.touch(transaction, key, input.externalId);
      const changed = await this.groups.lock(transaction, key);
      const after = {
        externalId: changed.externalId,
        ...membersOf('added', touched.added),
        ...membersOf('removed', touched.removed),
      };
      await this.record(transaction, workspaceId, changed, { action: 'group.updated', after });
      await this.revocations.add(transaction, 'USER', [...new Set([...touched.added, ...touched.removed])]);
      return changed;
    });
  }

  async delete({ id, version }: RequestOf<Requests['deleteScimGroup']>, { workspaceId }: Principal): Promise<void> {
    await this.transactions.run(async (transaction) => {
      const key = { workspaceId, id };
      const current = await this.groups.lock(transaction, key);
      if (version !== undefined && version !== current.version) throw changedMeanwhile();
      const removed = await this.memberships.removeEveryone(transaction, key);
      await this.groups.delete(transaction, key);
      const before = { externalId: current.externalId, ...membersOf('removed', removed) };
      await this.record(transaction, workspaceId, current, { action: 'group.deleted', before });
      await this.revocations.add(transaction, 'USER', removed);
    });
  }

  private async changeMembers(
    transaction: Transaction,
    key: { workspaceId: string; id: string },
    changes: RequestOf<Requests['patchScimGroup']>['changes'],
  ): Promise<{ added: string[]; removed: string[] }> {
    const [added, removed]: [string[], string[]] = [[], []];
    for (const { clears, addedIds, removedIds } of changes) {
      if (clears) removed.push(...(await this.memberships.remove(transaction, key, undefined)));
      if (removedIds.length > 0) removed.push(...(await this.memberships.remove(transaction, key, removedIds)));
      if (addedIds.length > 0) added.push(...(await this.memberships.add(transaction, key, addedIds)));
    }
    // Who was taken out and put in again has not changed.
    const [wasAdded, wasRemoved] = [new Set(added), new Set(removed)];
    return { added: added.filter((id) => !wasRemoved.has(id)), removed: removed.filter((id) => !wasAdded.has(id)) };
  }

  private record(
    transaction: Transaction,
    workspaceId: string,
    { id, displayName }: ScimGroup,
    what: { action: string; before?: object; after?: object },
  ): Promise<void> {
    return this.audit.add(transaction, { ...what, workspaceId, target: { type: 'group', id, name: displayName } });
  }
}

function refuseTooManyIds(count: number): void {
  if (count <= memberIdsMax) return;
  throw new AppError('input.too_large', `At most ${memberIdsMax} members in one request.`, { path: ['members'] });
}

function nameIsKey(): AppError {
  return new AppError('input.invalid', 'The name of a group is its key and does not change.', {
    path: ['displayName'],
    details: { scimType: 'mutability' },
  });
}
