import { Mutation, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { authRequests, type ApiKey } from '#libs/contracts';
import { listOf } from '../common/cleared.js';
import { pageArgs, toConnection, type Connection, type SearchArgs } from '../common/pages.js';
import { payloadOf, type Payload } from '../errors/payload.js';
import type { RequestContext } from '../request/request-context.js';

interface CreateApiKeyArgs {
  readonly input: {
    readonly name: string;
    readonly permissions?: string[] | null;
    readonly expiresAt?: Date | null;
    readonly serviceAccountId?: string | null;
    readonly dataSourceIds?: string[] | null;
    readonly savedQueryIds?: string[] | null;
    readonly networks?: string[] | null;
  };
}

@Resolver('ApiKey')
export class ApiKeysResolver {
  @Query('apiKeys')
  async apiKeys(
    _root: unknown,
    args: SearchArgs & { readonly userId?: string | null },
    context: RequestContext,
  ): Promise<Connection<ApiKey>> {
    const answer = await context.ask(authRequests.listApiKeys, {
      page: pageArgs(args),
      userId: args.userId ?? undefined,
      search: args.search ?? undefined,
    });
    return toConnection(answer.apiKeys, answer);
  }

  @Mutation('createApiKey')
  createApiKey(
    _root: unknown,
    { input }: CreateApiKeyArgs,
    context: RequestContext,
  ): Promise<Payload<{ apiKey: ApiKey | undefined; secret: string }>> {
    const { name, permissions, expiresAt, serviceAccountId, dataSourceIds, savedQueryIds, networks } = input;
    return payloadOf(() =>
      context.ask(authRequests.createApiKey, {
        name,
        permissions: listOf(permissions),
        expiresAt: expiresAt ?? undefined,
        serviceAccountId: serviceAccountId ?? undefined,
        dataSourceIds: listOf(dataSourceIds),
        savedQueryIds: listOf(savedQueryIds),
        networks: listOf(networks),
      }),
    );
  }

  @Mutation('revokeApiKey')
  revokeApiKey(
    _root: unknown,
    { id }: { readonly id: string },
    context: RequestContext,
  ): Promise<Payload<{ deletedId: string }>> {
    return payloadOf(async () => ({ deletedId: (await context.ask(authRequests.revokeApiKey, { id })).id }));
  }

  @ResolveField('permissions')
  permissions(key: ApiKey): readonly string[] | null {
    return key.permissions?.values ?? null;
  }

  @ResolveField('dataSourceIds')
  dataSourceIds(key: ApiKey): readonly string[] | null {
    return key.dataSourceIds?.values ?? null;
  }

  @ResolveField('savedQueryIds')
  savedQueryIds(key: ApiKey): readonly string[] | null {
    return key.savedQueryIds?.values ?? null;
  }

  @ResolveField('networks')
  networks(key: ApiKey): readonly string[] | null {
    return key.networks?.values ?? null;
  }
}
