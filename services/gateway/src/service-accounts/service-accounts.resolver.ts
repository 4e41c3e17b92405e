import { Mutation, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { authRequests, serviceAccountRequests, type ApiKey, type ServiceAccount } from '#libs/contracts';
import type { JsonObject } from '#libs/kernel';
import { clearedIn, listOf } from '../common/cleared.js';
import { pageArgs, toConnection, type Connection, type ListArgs, type SearchArgs } from '../common/pages.js';
import { payloadOf, type Payload } from '../errors/payload.js';
import type { RequestContext } from '../request/request-context.js';

interface CreateServiceAccountArgs {
  readonly input: {
    readonly name: string;
    readonly roleNames: string[];
    readonly groupNames: string[];
    readonly attributes?: JsonObject | null;
  };
}

interface UpdateServiceAccountArgs {
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

type ServiceAccountPayload = Payload<{ serviceAccount: ServiceAccount | undefined | null }>;

@Resolver('ServiceAccount')
export class ServiceAccountsResolver {
  @Query('serviceAccounts')
  async serviceAccounts(
    _root: unknown,
    args: SearchArgs,
    context: RequestContext,
  ): Promise<Connection<ServiceAccount>> {
    const request = { page: pageArgs(args), search: args.search ?? undefined };
    const answer = await context.ask(serviceAccountRequests.listServiceAccounts, request);
    return toConnection(answer.serviceAccounts, answer);
  }

  @Mutation('createServiceAccount')
  createServiceAccount(
    _root: unknown,
    { input }: CreateServiceAccountArgs,
    context: RequestContext,
  ): Promise<ServiceAccountPayload> {
    const attributes = input.attributes ?? undefined;
    return payloadOf(() => context.ask(serviceAccountRequests.createServiceAccount, { ...input, attributes }));
  }

  @Mutation('updateServiceAccount')
  updateServiceAccount(
    _root: unknown,
    { input }: UpdateServiceAccountArgs,
    context: RequestContext,
  ): Promise<ServiceAccountPayload> {
    const { id, version, name, roleNames, groupNames, attributes, disabled } = input;
    return payloadOf(
      () =>
        context.ask(serviceAccountRequests.updateServiceAccount, {
          id,
          version,
          name: name ?? undefined,
          roleNames: listOf(roleNames),
          groupNames: listOf(groupNames),
          attributes: attributes ?? undefined,
          disabled: disabled ?? undefined,
          cleared: clearedIn(input),
        }),
      async () => ({ serviceAccount: await context.loaders.serviceAccounts.load(id) }),
    );
  }

  @ResolveField('apiKeys')
  async apiKeys(
    { id, privateReadable }: ServiceAccount,
    args: ListArgs,
    context: RequestContext,
  ): Promise<Connection<ApiKey> | null> {
    if (!privateReadable) return null;
    const answer = await context.ask(authRequests.listApiKeys, { page: pageArgs(args), serviceAccountId: id });
    return toConnection(answer.apiKeys, answer);
  }

  @ResolveField('roleNames')
  roleNames({ privateReadable, roleNames }: ServiceAccount): readonly string[] | null {
    return privateReadable ? roleNames : null;
  }

  @ResolveField('groupNames')
  groupNames({ privateReadable, groupNames }: ServiceAccount): readonly string[] | null {
    return privateReadable ? groupNames : null;
  }

  @ResolveField('attributes')
  attributes({ privateReadable, attributes }: ServiceAccount): ServiceAccount['attributes'] | null {
    return privateReadable ? (attributes ?? {}) : null;
  }
}
