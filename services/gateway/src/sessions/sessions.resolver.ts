import { Mutation, Resolver } from '@nestjs/graphql';
import { authRequests, type ResponseOf } from '#libs/contracts';
import { AppError, toPublicErrorCode } from '#libs/kernel';
import { payloadOf, type Payload } from '../errors/payload.js';
import { userErrorsOf } from '../errors/user-error.js';
import type { RequestContext } from '../request/request-context.js';
import { currentClientAddress, currentUserAgent } from '../request/request-scope.js';

type Session = ResponseOf<typeof authRequests.signIn>;

interface SignInArgs {
  readonly input: {
    readonly email: string;
    readonly password: string;
    readonly workspace?: string | null;
    readonly secondFactor?: string | null;
  };
}

@Resolver()
export class SessionsResolver {
  @Mutation('signIn')
  signIn(_root: unknown, { input }: SignInArgs, context: RequestContext): Promise<Payload<Session>> {
    const { email, password, workspace, secondFactor } = input;
    return sessionPayload(() =>
      context.askAnonymously(authRequests.signIn, {
        ...{ email, password, workspace: workspace ?? undefined, secondFactor: secondFactor ?? undefined },
        // Failures are limited by where they come from, too.
        clientAddress: currentClientAddress(),
        userAgent: currentUserAgent(),
      }),
    );
  }

  @Mutation('refreshSession')
  refreshSession(
    _root: unknown,
    { refreshToken }: { readonly refreshToken: string },
    context: RequestContext,
  ): Promise<Payload<Session>> {
    return sessionPayload(() => context.askAnonymously(authRequests.refreshSession, { refreshToken }));
  }

  @Mutation('signOut')
  signOut(_root: unknown, _args: unknown, context: RequestContext): Promise<Payload<object>> {
    return payloadOf(() => context.ask(authRequests.signOut, {}));
  }
}

/** Wrong credentials are what these mutations are about, so here they are an outcome like any other. */
function sessionPayload(work: () => Promise<Session>): Promise<Payload<Session>> {
  return payloadOf(work).catch((error: unknown) => {
    if (error instanceof AppError && toPublicErrorCode(error.code) === 'UNAUTHENTICATED') {
      return { errors: userErrorsOf(error) };
    }
    throw error;
  });
}
