import { Mutation, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { identityProviderRequests, type IdentityProvider } from '#libs/contracts';
import { clearedIn, listOf } from '../common/cleared.js';
import { pageArgs, toConnection, type Connection, type SearchArgs } from '../common/pages.js';
import { payloadOf, type Payload } from '../errors/payload.js';
import type { RequestContext } from '../request/request-context.js';
import { ssoPathOf } from '../sso/sso-paths.js';

interface CreateArgs {
  readonly input: Pick<IdentityProvider, 'name' | 'kind' | 'enabled' | 'options' | 'emailDomains'> & {
    readonly rules?: IdentityProvider['rules'] | null;
  };
}

interface UpdateArgs {
  readonly input: {
    readonly [Field in keyof CreateArgs['input'] as Exclude<Field, 'kind'>]?: CreateArgs['input'][Field] | null;
  } & { readonly id: string; readonly version: number };
}

type ProviderPayload = Payload<{ identityProvider: IdentityProvider | undefined | null }>;

@Resolver('IdentityProvider')
export class IdentityProvidersResolver {
  @Query('identityProviders')
  async identityProviders(
    _root: unknown,
    args: SearchArgs,
    context: RequestContext,
  ): Promise<Connection<IdentityProvider>> {
    const request = { page: pageArgs(args), search: args.search ?? undefined };
    const answer = await context.ask(identityProviderRequests.listIdentityProviders, request);
    return toConnection(answer.identityProviders, answer);
  }

  @Mutation('createIdentityProvider')
  createIdentityProvider(_root: unknown, { input }: CreateArgs, context: RequestContext): Promise<ProviderPayload> {
    const { name, kind, enabled, options, emailDomains, rules } = input;
    const request = { name, kind, enabled, options, emailDomains, rules: rules ?? undefined };
    return payloadOf(() => context.ask(identityProviderRequests.createIdentityProvider, request));
  }

  @Mutation('updateIdentityProvider')
  updateIdentityProvider(_root: unknown, { input }: UpdateArgs, context: RequestContext): Promise<ProviderPayload> {
    const { id, version, name, enabled, options, emailDomains, rules } = input;
    return payloadOf(
      () =>
        context.ask(identityProviderRequests.updateIdentityProvider, {
          id,
          version,
          name: name ?? undefined,
          enabled: enabled ?? undefined,
          options: options ?? undefined,
          emailDomains: listOf(emailDomains),
          rules: rules ?? undefined,
          cleared: clearedIn(input),
        }),
      async () => ({ identityProvider: await context.loaders.identityProviders.load(id) }),
    );
  }

  @Mutation('deleteIdentityProvider')
  deleteIdentityProvider(
    _root: unknown,
    { id }: { readonly id: string },
    context: RequestContext,
  ): Promise<Payload<{ deletedId: string }>> {
    return payloadOf(async () => ({
      deletedId: (await context.ask(identityProviderRequests.deleteIdentityProvider, { id })).id,
    }));
  }

  @ResolveField('signInPath')
  signInPath({ id }: IdentityProvider): string {
    return ssoPathOf(id, 'login');
  }
}
