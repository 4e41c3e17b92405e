import { Mutation, Resolver } from '@nestjs/graphql';
import { runRequests } from '#libs/contracts';
import { payloadOf, type Payload } from '../errors/payload.js';
import type { RequestContext } from '../request/request-context.js';

interface TableName {
  readonly catalog?: string | null;
  readonly schema?: string | null;
  readonly name: string;
}

interface InvalidateCacheInput {
  readonly dataSourceIds?: readonly string[] | null;
  readonly tables?: readonly { readonly dataSourceId: string; readonly table: TableName }[] | null;
  readonly savedQueryIds?: readonly string[] | null;
  readonly tags?: readonly string[] | null;
}

@Resolver()
export class CacheResolver {
  @Mutation('invalidateCache')
  invalidateCache(
    _root: unknown,
    { input }: { readonly input: InvalidateCacheInput },
    context: RequestContext,
  ): Promise<Payload<{ invalidatedCount: number }>> {
    const { dataSourceIds, tables, savedQueryIds, tags } = input;
    return payloadOf(() =>
      context.ask(runRequests.invalidateCache, {
        dataSourceIds: [...(dataSourceIds ?? [])],
        tables: (tables ?? []).map(({ dataSourceId, table: { catalog, schema, name } }) => ({
          dataSourceId,
          catalog: catalog ?? undefined,
          schema: schema ?? undefined,
          name,
        })),
        savedQueryIds: [...(savedQueryIds ?? [])],
        tags: [...(tags ?? [])],
      }),
    );
  }
}
