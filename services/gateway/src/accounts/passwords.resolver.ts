import { Mutation, Resolver } from '@nestjs/graphql';
import { accountRequests } from '#libs/contracts';
import { payloadOf, type Payload } from '../errors/payload.js';
import type { RequestContext } from '../request/request-context.js';
import { currentClientAddress } from '../request/request-scope.js';

interface ChangePasswordArgs {
  readonly input: { readonly currentPassword: string; readonly newPassword: string };
}

interface RequestPasswordResetArgs {
  readonly input: { readonly email: string; readonly workspace?: string | null };
}

interface SetPasswordArgs {
  readonly input: { readonly token: string; readonly password: string };
}

interface OfUserArgs {
  readonly userId: string;
}

@Resolver()
export class PasswordsResolver {
  @Mutation('changePassword')
  changePassword(_root: unknown, { input }: ChangePasswordArgs, context: RequestContext): Promise<Payload<object>> {
    return payloadOf(() =>
      context.ask(accountRequests.changePassword, { ...input, clientAddress: currentClientAddress() }),
    );
  }

  @Mutation('requestPasswordReset')
  requestPasswordReset(
    _root: unknown,
    { input: { email, workspace } }: RequestPasswordResetArgs,
    context: RequestContext,
  ): Promise<Payload<object>> {
    const clientAddress = currentClientAddress();
    return payloadOf(() =>
      context.askAnonymously(accountRequests.requestPasswordReset, {
        ...{ email, workspace: workspace ?? undefined, clientAddress },
      }),
    );
  }

  @Mutation('resetPassword')
  resetPassword(_root: unknown, { input }: SetPasswordArgs, context: RequestContext): Promise<Payload<object>> {
    return payloadOf(() => context.askAnonymously(accountRequests.resetPassword, input));
  }

  @Mutation('acceptInvitation')
  acceptInvitation(_root: unknown, { input }: SetPasswordArgs, context: RequestContext): Promise<Payload<object>> {
    return payloadOf(() => context.askAnonymously(accountRequests.acceptInvitation, input));
  }

  @Mutation('inviteUser')
  inviteUser(_root: unknown, { userId }: OfUserArgs, context: RequestContext): Promise<Payload<{ url?: string }>> {
    return payloadOf(() => context.ask(accountRequests.inviteUser, { userId }));
  }

  @Mutation('resetUserPassword')
  resetUserPassword(
    _root: unknown,
    { userId }: OfUserArgs,
    context: RequestContext,
  ): Promise<Payload<{ url?: string }>> {
    return payloadOf(() => context.ask(accountRequests.resetUserPassword, { userId }));
  }
}
