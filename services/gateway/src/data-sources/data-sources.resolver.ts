import { Mutation, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { metadataRequests, type DataSource, type Table } from '#libs/contracts';
import type { JsonObject } from '#libs/kernel';
import { findSourceType, sourceTypes, type SourceType } from '#libs/source-types';
import { clearedIn } from '../common/cleared.js';
import { pageArgs, toConnection, type Connection, type SearchArgs } from '../common/pages.js';
import { payloadOf, type Payload } from '../errors/payload.js';
import type { RequestContext } from '../request/request-context.js';
import { sourceTestPayload, type SourceTestPayload } from './source-test.js';

interface CreateDataSourceArgs {
  readonly input: {
    readonly name: string;
    readonly type: string;
    readonly options: JsonObject;
    readonly maxConcurrentExecutions?: number | null;
    readonly cacheTtlSeconds?: number | null;
    readonly timeoutSeconds?: number | null;
  };
}

interface UpdateDataSourceArgs {
  readonly input: {
    readonly id: string;
    readonly version: number;
    readonly name?: string | null;
    readonly options?: JsonObject | null;
    readonly maxConcurrentExecutions?: number | null;
    readonly cacheTtlSeconds?: number | null;
    readonly timeoutSeconds?: number | null;
    readonly paused?: boolean | null;
  };
}

interface IdArgs {
  readonly id: string;
}

type DataSourcePayload = Payload<{ dataSource: DataSource | undefined | null }>;

/** Asking a source itself may take as long as a connection does. */
const sourceTtlMs = 60_000;

@Resolver('DataSource')
export class DataSourcesResolver {
  @Query('dataSourceTypes')
  dataSourceTypes(_root: unknown, _args: unknown, context: RequestContext): readonly SourceType[] {
    void context.caller;
    return sourceTypes;
  }

  @Query('dataSources')
  async dataSources(_root: unknown, args: SearchArgs, context: RequestContext): Promise<Connection<DataSource>> {
    const request = { page: pageArgs(args), search: args.search ?? undefined };
    const answer = await context.ask(metadataRequests.listDataSources, request);
    return toConnection(answer.dataSources, answer);
  }

  @Mutation('createDataSource')
  createDataSource(
    _root: unknown,
    { input }: CreateDataSourceArgs,
    context: RequestContext,
  ): Promise<DataSourcePayload> {
    const maxConcurrentExecutions = input.maxConcurrentExecutions ?? undefined;
    const cacheTtlSeconds = input.cacheTtlSeconds ?? undefined;
    const timeoutSeconds = input.timeoutSeconds ?? undefined;
    return payloadOf(
      () =>
        context.ask(metadataRequests.createDataSource, {
          ...input,
          maxConcurrentExecutions,
          cacheTtlSeconds,
          timeoutSeconds,
        }),
      async (conflictId) => ({
        dataSource: conflictId === undefined ? null : await context.loaders.dataSources.load(conflictId),
      }),
    );
  }

  @Mutation('updateDataSource')
  updateDataSource(
    _root: unknown,
    { input }: UpdateDataSourceArgs,
    context: RequestContext,
  ): Promise<DataSourcePayload> {
    const { id, version, name, options, maxConcurrentExecutions, paused } = input;
    return payloadOf(
      () =>
        context.ask(metadataRequests.updateDataSource, {
          id,
          version,
          name: name ?? undefined,
          options: options ?? undefined,
          maxConcurrentExecutions: maxConcurrentExecutions ?? undefined,
          cacheTtlSeconds: input.cacheTtlSeconds ?? undefined,
          timeoutSeconds: input.timeoutSeconds ?? undefined,
          paused: paused ?? undefined,
          cleared: clearedIn(input),
        }),
      async () => ({ dataSource: await context.loaders.dataSources.load(id) }),
    );
  }

  @Mutation('deleteDataSource')
  deleteDataSource(_root: unknown, { id }: IdArgs, context: RequestContext): Promise<Payload<{ deletedId: string }>> {
    return payloadOf(async () => ({ deletedId: (await context.ask(metadataRequests.deleteDataSource, { id })).id }));
  }

  @Mutation('testDataSource')
  testDataSource(_root: unknown, { id }: IdArgs, context: RequestContext): Promise<SourceTestPayload> {
    return sourceTestPayload(() => context.ask(metadataRequests.testDataSource, { id }, { ttlMs: sourceTtlMs }));
  }

  @Mutation('refreshDataSourceSchema')
  refreshDataSourceSchema(_root: unknown, { id }: IdArgs, context: RequestContext): Promise<DataSourcePayload> {
    return payloadOf(
      () => context.ask(metadataRequests.refreshDataSourceSchema, { id }, { ttlMs: sourceTtlMs }),
      async () => ({ dataSource: await context.loaders.dataSources.load(id) }),
    );
  }

  @ResolveField('type')
  type({ type: name }: DataSource): SourceType {
    // A source of a type that a newer release brought is still told by its name.
    return findSourceType(name) ?? { name, title: name, optionsSchema: {}, capabilities: [], destination: [] };
  }

  @ResolveField('tables')
  async tables({ id }: DataSource, args: SearchArgs, context: RequestContext): Promise<Connection<Table>> {
    const request = { dataSourceId: id, page: pageArgs(args), search: args.search ?? undefined };
    const answer = await context.ask(metadataRequests.listTables, request);
    return toConnection(answer.tables, answer);
  }
}
