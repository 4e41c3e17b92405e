import { Mutation, Query, Resolver } from '@nestjs/graphql';
import { roleRequests, type Role } from '#libs/contracts';
import { pageArgs, toConnection, type Connection, type SearchArgs } from '../common/pages.js';
import { payloadOf, type Payload } from '../errors/payload.js';
import type { RequestContext } from '../request/request-context.js';

interface CreateRoleArgs {
  readonly input: { readonly name: string; readonly permissions: string[] };
}

interface UpdateRoleArgs {
  readonly input: { readonly id: string; readonly version: number; readonly permissions: string[] };
}

type RolePayload = Payload<{ role: Role | undefined | null }>;

@Resolver('Role')
export class RolesResolver {
  @Query('roles')
  async roles(_root: unknown, args: SearchArgs, context: RequestContext): Promise<Connection<Role>> {
    const request = { page: pageArgs(args), search: args.search ?? undefined };
    const answer = await context.ask(roleRequests.listRoles, request);
    return toConnection(answer.roles, answer);
  }

  @Mutation('createRole')
  createRole(_root: unknown, { input }: CreateRoleArgs, context: RequestContext): Promise<RolePayload> {
    return payloadOf(() => context.ask(roleRequests.createRole, input));
  }

  @Mutation('updateRole')
  updateRole(_root: unknown, { input }: UpdateRoleArgs, context: RequestContext): Promise<RolePayload> {
    return payloadOf(
      () => context.ask(roleRequests.updateRole, input),
      async () => ({ role: await context.loaders.roles.load(input.id) }),
    );
  }

  @Mutation('deleteRole')
  deleteRole(
    _root: unknown,
    { id }: { readonly id: string },
    context: RequestContext,
  ): Promise<Payload<{ deletedId: string }>> {
    return payloadOf(async () => ({ deletedId: (await context.ask(roleRequests.deleteRole, { id })).id }));
  }
}
