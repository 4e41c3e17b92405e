import { Mutation, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { authRequests, type User } from '#libs/contracts';
import type { JsonObject } from '#libs/kernel';
import { clearedIn, listOf } from '../common/cleared.js';
import { pageArgs, toConnection, type Connection, type SearchArgs } from '../common/pages.js';
import { payloadOf, type Payload } from '../errors/payload.js';
import type { RequestContext } from '../request/request-context.js';

interface CreateUserArgs {
  readonly input: {
    readonly email: string;
    readonly name: string;
    readonly password?: string | null;
    readonly roleNames: string[];
    readonly groupNames: string[];
    readonly attributes?: JsonObject | null;
  };
}

interface UpdateUserArgs {
  readonly input: {
    readonly id: string;
    readonly version: number;
    readonly name?: string | null;
    readonly roleNames?: string[] | null;
    readonly groupNames?: string[] | null;
    readonly attributes?: JsonObject | null;
    readonly disabled?: boolean | null;
  };
}

type UserPayload = Payload<{ user: User | undefined | null; invitationUrl?: string }>;

@Resolver('User')
export class UsersResolver {
  @Query('users')
  async users(_root: unknown, args: SearchArgs, context: RequestContext): Promise<Connection<User>> {
    const page = pageArgs(args);
    const answer = await context.ask(authRequests.listUsers, { page, search: args.search ?? undefined });
    return toConnection(answer.users, answer);
  }

  @Mutation('createUser')
  createUser(_root: unknown, { input }: CreateUserArgs, context: RequestContext): Promise<UserPayload> {
    const { password, attributes, ...rest } = input;
    return payloadOf(
      () =>
        context.ask(authRequests.createUser, {
          ...rest,
          password: password ?? undefined,
          attributes: attributes ?? undefined,
        }),
      async (conflictId) => ({ user: conflictId === undefined ? null : await context.loaders.users.load(conflictId) }),
    );
  }

  @Mutation('updateUser')
  updateUser(_root: unknown, { input }: UpdateUserArgs, context: RequestContext): Promise<UserPayload> {
    const { id, version, name, roleNames, groupNames, attributes, disabled } = input;
    return payloadOf(
      () =>
        context.ask(authRequests.updateUser, {
          id,
          version,
          name: name ?? undefined,
          roleNames: listOf(roleNames),
          groupNames: listOf(groupNames),
          attributes: attributes ?? undefined,
          disabled: disabled ?? undefined,
          cleared: clearedIn(input),
        }),
      async () => ({ user: await context.loaders.users.load(id) }),
    );
  }

  @ResolveField('email')
  email(user: User): string | null {
    return user.privateReadable ? user.email : null;
  }

  @ResolveField('roleNames')
  roleNames(user: User): readonly string[] | null {
    return user.privateReadable ? user.roleNames : null;
  }

  @ResolveField('groupNames')
  groupNames(user: User): readonly string[] | null {
    return user.privateReadable ? user.groupNames : null;
  }

  @ResolveField('attributes')
  attributes(user: User): User['attributes'] | null {
    return user.privateReadable ? (user.attributes ?? {}) : null;
  }
}
