import { Mutation, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { metadataRequests, type DataSource, type SavedQuery } from '#libs/contracts';
import { clearedIn, listOf } from '../common/cleared.js';
import { pageArgs, toConnection, type Connection, type ListArgs } from '../common/pages.js';
import { payloadOf, type Payload } from '../errors/payload.js';
import { toParameterDefinition, type ParameterDefinitionInput } from '../parameters/parameter-definition.input.js';
import type { RequestContext } from '../request/request-context.js';

interface SavedQueriesArgs extends ListArgs {
  readonly search?: string | null;
  readonly tags?: string[] | null;
}

interface CreateSavedQueryArgs {
  readonly input: {
    readonly name: string;
    readonly description?: string | null;
    readonly dataSourceId: string;
    readonly sql: string;
    readonly parameters: readonly ParameterDefinitionInput[];
    readonly tags: string[];
    readonly warmUp: boolean;
    readonly cacheTtlSeconds?: number | null;
  };
}

interface UpdateSavedQueryArgs {
  readonly input: {
    readonly id: string;
    readonly version: number;
    readonly name?: string | null;
    readonly description?: string | null;
    readonly sql?: string | null;
    readonly parameters?: readonly ParameterDefinitionInput[] | null;
    readonly tags?: string[] | null;
    readonly warmUp?: boolean | null;
    readonly cacheTtlSeconds?: number | null;
  };
}

type SavedQueryPayload = Payload<{ savedQuery: SavedQuery | undefined | null }>;

@Resolver('SavedQuery')
export class SavedQueriesResolver {
  @Query('savedQueries')
  async savedQueries(_root: unknown, args: SavedQueriesArgs, context: RequestContext): Promise<Connection<SavedQuery>> {
    const request = { page: pageArgs(args), search: args.search ?? undefined, tags: args.tags ?? [] };
    const answer = await context.ask(metadataRequests.listSavedQueries, request);
    return toConnection(answer.savedQueries, answer);
  }

  @Mutation('createSavedQuery')
  createSavedQuery(
    _root: unknown,
    { input }: CreateSavedQueryArgs,
    context: RequestContext,
  ): Promise<SavedQueryPayload> {
    const description = input.description ?? undefined;
    const cacheTtlSeconds = input.cacheTtlSeconds ?? undefined;
    const parameters = input.parameters.map(toParameterDefinition);
    const query = { ...input, description, parameters, cacheTtlSeconds };
    return payloadOf(() => context.ask(metadataRequests.createSavedQuery, query));
  }

  @Mutation('updateSavedQuery')
  updateSavedQuery(
    _root: unknown,
    { input }: UpdateSavedQueryArgs,
    context: RequestContext,
  ): Promise<SavedQueryPayload> {
    const { id, version, name, description, sql, parameters, tags, warmUp, cacheTtlSeconds } = input;
    return payloadOf(
      () =>
        context.ask(metadataRequests.updateSavedQuery, {
          id,
          version,
          name: name ?? undefined,
          description: description ?? undefined,
          sql: sql ?? undefined,
          parameters: parameters ? { values: parameters.map(toParameterDefinition) } : undefined,
          tags: listOf(tags),
          warmUp: warmUp ?? undefined,
          cacheTtlSeconds: cacheTtlSeconds ?? undefined,
          cleared: clearedIn(input),
        }),
      async () => ({ savedQuery: await context.loaders.savedQueries.load(id) }),
    );
  }

  @Mutation('deleteSavedQuery')
  deleteSavedQuery(
    _root: unknown,
    { id }: { readonly id: string },
    context: RequestContext,
  ): Promise<Payload<{ deletedId: string }>> {
    return payloadOf(async () => ({ deletedId: (await context.ask(metadataRequests.deleteSavedQuery, { id })).id }));
  }

  @ResolveField('dataSource')
  dataSource(query: SavedQuery, _args: unknown, context: RequestContext): Promise<DataSource | null> {
    return context.loaders.dataSources.load(query.dataSourceId);
  }

  @ResolveField('sql')
  sql({ sql }: SavedQuery): string | null {
    // No query is empty: the service leaves the text out for those who may run it but not read it.
    return sql === '' ? null : sql;
  }
}
