import { Mutation, Resolver } from '@nestjs/graphql';
import { accountRequests } from '#libs/contracts';
import { payloadOf, type Payload } from '../errors/payload.js';
import type { RequestContext } from '../request/request-context.js';
import { currentClientAddress } from '../request/request-scope.js';

interface ProofArgs {
  readonly input: {
    readonly email: string;
    readonly password: string;
    readonly workspace?: string | null;
    readonly secondFactor?: string;
  };
}

@Resolver()
export class SecondFactorResolver {
  @Mutation('beginSecondFactor')
  beginSecondFactor(
    _root: unknown,
    args: ProofArgs,
    context: RequestContext,
  ): Promise<Payload<{ secret: string; uri: string }>> {
    return payloadOf(() => context.askAnonymously(accountRequests.beginSecondFactor, { proof: proofOf(args) }));
  }

  @Mutation('confirmSecondFactor')
  confirmSecondFactor(
    _root: unknown,
    args: ProofArgs,
    context: RequestContext,
  ): Promise<Payload<{ recoveryCodes: readonly string[] }>> {
    return payloadOf(() => context.askAnonymously(accountRequests.confirmSecondFactor, { proof: proofOf(args) }));
  }

  @Mutation('removeSecondFactor')
  removeSecondFactor(_root: unknown, args: ProofArgs, context: RequestContext): Promise<Payload<object>> {
    return payloadOf(() => context.askAnonymously(accountRequests.removeSecondFactor, { proof: proofOf(args) }));
  }

  @Mutation('resetUserSecondFactor')
  resetUserSecondFactor(
    _root: unknown,
    { userId }: { readonly userId: string },
    context: RequestContext,
  ): Promise<Payload<object>> {
    return payloadOf(() => context.ask(accountRequests.resetUserSecondFactor, { userId }));
  }
}

function proofOf({ input }: ProofArgs) {
  const { email, password, workspace, secondFactor } = input;
  return {
    ...{ email, password, workspace: workspace ?? undefined },
    ...(secondFactor === undefined ? {} : { secondFactor }),
    clientAddress: currentClientAddress(),
  };
}
