import { Mutation, Query, Resolver } from '@nestjs/graphql';
import { accountRequests, type ResponseOf } from '#libs/contracts';
import { pageArgs, toConnection, type Connection, type SearchArgs } from '../common/pages.js';
import { payloadOf, type Payload } from '../errors/payload.js';
import type { RequestContext } from '../request/request-context.js';

type Session = ResponseOf<typeof accountRequests.listSessions>['sessions'][number];
type Revoked = Payload<{ revokedCount: number }>;

@Resolver()
export class SessionListResolver {
  @Query('sessions')
  async sessions(
    _root: unknown,
    args: SearchArgs & { readonly userId?: string | null },
    context: RequestContext,
  ): Promise<Connection<Session>> {
    const { userId, search } = args;
    const request = { page: pageArgs(args), userId: userId ?? undefined, search: search ?? undefined };
    const answer = await context.ask(accountRequests.listSessions, request);
    return toConnection(answer.sessions, answer);
  }

  @Mutation('revokeSession')
  revokeSession(
    _root: unknown,
    { id }: { readonly id: string },
    context: RequestContext,
  ): Promise<Payload<{ deletedId: string }>> {
    return payloadOf(async () => {
      await context.ask(accountRequests.revokeSession, { id });
      return { deletedId: id };
    });
  }

  @Mutation('revokeOtherSessions')
  revokeOtherSessions(_root: unknown, _args: unknown, context: RequestContext): Promise<Revoked> {
    return payloadOf(async () => ({
      revokedCount: (await context.ask(accountRequests.revokeOtherSessions, {})).count,
    }));
  }

  @Mutation('revokeUserSessions')
  revokeUserSessions(
    _root: unknown,
    { userId }: { readonly userId: string },
    context: RequestContext,
  ): Promise<Revoked> {
    return payloadOf(async () => ({
      revokedCount: (await context.ask(accountRequests.revokeUserSessions, { userId })).count,
    }));
  }
}
