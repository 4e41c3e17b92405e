import { Mutation, ResolveField, Resolver } from '@nestjs/graphql';
import { accountRequests, type ResponseOf } from '#libs/contracts';
import { payloadOf, type Payload } from '../errors/payload.js';
import type { RequestContext } from '../request/request-context.js';

type SignInRules = ResponseOf<typeof accountRequests.getSignInRules>;

interface UpdateSignInRulesArgs {
  readonly input: { readonly secondFactorRequired: boolean };
}

/** A token is for one workspace, so the caller's rules are those of the workspace that he sees. */
@Resolver('Workspace')
export class SignInRulesResolver {
  @ResolveField('signInRules')
  signInRules(_workspace: unknown, _args: unknown, context: RequestContext): Promise<SignInRules> {
    return context.ask(accountRequests.getSignInRules, {});
  }

  @Mutation('updateSignInRules')
  updateSignInRules(
    _root: unknown,
    { input }: UpdateSignInRulesArgs,
    context: RequestContext,
  ): Promise<Payload<{ signInRules: SignInRules }>> {
    return payloadOf(async () => ({ signInRules: await context.ask(accountRequests.updateSignInRules, input) }));
  }
}
