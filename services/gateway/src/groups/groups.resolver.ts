import { Mutation, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { accessRequests, groupRequests, type Group, type User } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { pageArgs, toConnection, type Connection, type ListArgs, type SearchArgs } from '../common/pages.js';
import { payloadOf, type Payload } from '../errors/payload.js';
import type { RequestContext } from '../request/request-context.js';

interface MembersArgs {
  readonly input: { readonly id: string; readonly userIds: string[] };
}

type GroupPayload = Payload<{ group: Group | undefined | null }>;

@Resolver('Group')
export class GroupsResolver {
  @Query('groups')
  async groups(_root: unknown, args: SearchArgs, context: RequestContext): Promise<Connection<Group>> {
    const request = { page: pageArgs(args), search: args.search ?? undefined };
    const answer = await context.ask(groupRequests.listGroups, request);
    return toConnection(answer.groups, answer);
  }

  @ResolveField('members')
  async members({ id }: Group, args: ListArgs, context: RequestContext): Promise<Connection<User>> {
    const answer = await context.ask(groupRequests.listGroupMembers, { groupId: id, page: pageArgs(args) });
    return toConnection(answer.users, answer);
  }

  @Mutation('createGroup')
  createGroup(
    _root: unknown,
    { input }: { readonly input: { readonly name: string } },
    context: RequestContext,
  ): Promise<GroupPayload> {
    return payloadOf(
      () => context.ask(groupRequests.createGroup, input),
      async (conflictId) => ({
        group: conflictId === undefined ? null : await context.loaders.groups.load(conflictId),
      }),
    );
  }

  @Mutation('addGroupMembers')
  addGroupMembers(_root: unknown, { input }: MembersArgs, context: RequestContext): Promise<GroupPayload> {
    const { id, userIds } = input;
    const change = { id, addedUserIds: userIds, removedUserIds: [] };
    return payloadOf(() => context.ask(groupRequests.changeGroupMembers, change));
  }

  @Mutation('removeGroupMembers')
  removeGroupMembers(_root: unknown, { input }: MembersArgs, context: RequestContext): Promise<GroupPayload> {
    const { id, userIds } = input;
    const change = { id, addedUserIds: [], removedUserIds: userIds };
    return payloadOf(() => context.ask(groupRequests.changeGroupMembers, change));
  }

  @Mutation('deleteGroup')
  deleteGroup(
    _root: unknown,
    { id }: { readonly id: string },
    context: RequestContext,
  ): Promise<Payload<{ deletedId: string }>> {
    return payloadOf(async () => {
      const group = await context.loaders.groups.load(id);
      if (group) await refuseNamed(group, context);
      return { deletedId: (await context.ask(groupRequests.deleteGroup, { id })).id };
    });
  }
}

/** What names it lies in metadata, the group in auth: neither asks the other about it. */
async function refuseNamed({ name }: Group, context: RequestContext): Promise<void> {
  const { rowPolicies, grants } = await context.ask(accessRequests.getGroupUses, { name });
  if (rowPolicies + grants === 0) return;
  throw new AppError('auth.in_use', `This group is named by ${rowPolicies} row policies and ${grants} grants.`, {
    path: ['id'],
  });
}
