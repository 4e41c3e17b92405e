import { Mutation, Query, ResolveField, Resolver } from '@nestjs/graphql';
import type { GraphQLResolveInfo } from 'graphql';
import { runRequests, type DataSource, type Execution, type RunState, type SavedQuery } from '#libs/contracts';
import { isErrorCode, toPublicErrorCode, type PublicErrorCode } from '#libs/kernel';
import { pageArgs, toConnection, type Connection, type ListArgs } from '../common/pages.js';
import { wholeSeconds } from '../errors/user-error.js';
import { loadActor, type NodeLike } from '../node/node-kinds.js';
import type { RequestContext } from '../request/request-context.js';
import { selects } from '../request/selects.js';
import { CompleteManifests } from '../results/complete-manifests.store.js';
import { resultOf, toResultView, type ResultView } from '../results/result-view.js';
import type { RunQueryInput } from './execution-input.js';
import {
  ExecutionsService,
  type EstimateInput,
  type EstimatePayload,
  type RunQueryPayload,
} from './executions.service.js';

interface ExecutionsArgs extends ListArgs {
  readonly states?: RunState[] | null;
  readonly savedQueryId?: string | null;
  readonly submittedById?: string | null;
  readonly dataSourceId?: string | null;
  readonly search?: string | null;
  readonly submittedFrom?: Date | null;
  readonly submittedTo?: Date | null;
}

@Resolver('Execution')
export class ExecutionsResolver {
  constructor(
    private readonly executions: ExecutionsService,
    private readonly manifests: CompleteManifests,
  ) {}

  @Query('execution')
  async execution(_root: unknown, { id }: { readonly id: string }, context: RequestContext): Promise<Execution | null> {
    void context.caller;
    return context.loaders.executions.load(id);
  }

  @Query('executions')
  async list(_root: unknown, args: ExecutionsArgs, context: RequestContext): Promise<Connection<Execution>> {
    const answer = await context.ask(runRequests.listExecutions, {
      page: pageArgs(args),
      states: args.states ?? [],
      savedQueryId: args.savedQueryId ?? undefined,
      submittedById: args.submittedById ?? undefined,
      dataSourceId: args.dataSourceId ?? undefined,
      search: args.search ?? undefined,
      submittedFrom: args.submittedFrom ?? undefined,
      submittedTo: args.submittedTo ?? undefined,
    });
    return toConnection(answer.executions, answer);
  }

  @Query('estimateQuery')
  estimateQuery(_root: unknown, args: EstimateInput, context: RequestContext): Promise<EstimatePayload> {
    return this.executions.estimate(args, context);
  }

  @Mutation('runQuery')
  runQuery(
    _root: unknown,
    { input }: { readonly input: RunQueryInput },
    context: RequestContext,
  ): Promise<RunQueryPayload> {
    return this.executions.run(input, context);
  }

  @Mutation('runQueries')
  async runQueries(
    _root: unknown,
    { inputs }: { readonly inputs: readonly RunQueryInput[] },
    context: RequestContext,
  ): Promise<{ results: RunQueryPayload[] }> {
    return { results: await this.executions.runAll(inputs, context) };
  }

  @Mutation('cancelExecution')
  cancelExecution(_root: unknown, { id }: { readonly id: string }, context: RequestContext): Promise<RunQueryPayload> {
    return this.executions.cancel(id, context);
  }

  @ResolveField('dataSource')
  dataSource({ dataSourceId }: Execution, _args: unknown, { loaders }: RequestContext): Promise<DataSource | null> {
    return loaders.dataSources.load(dataSourceId);
  }

  @ResolveField('savedQuery')
  async savedQuery(
    { savedQueryId }: Execution,
    _args: unknown,
    { loaders }: RequestContext,
  ): Promise<SavedQuery | null> {
    return savedQueryId === undefined ? null : loaders.savedQueries.load(savedQueryId);
  }

  @ResolveField('submittedBy')
  submittedBy({ submittedById }: Execution, _args: unknown, context: RequestContext): Promise<NodeLike | null> {
    return loadActor(submittedById, context);
  }

  @ResolveField('progress')
  progress({ rows, bytes, fraction }: Execution) {
    return { rows, bytes, fraction };
  }

  @ResolveField('error')
  error({ error }: Execution) {
    if (!error) return null;
    return { ...error, code: publicCodeOf(error.code), retryAfterSeconds: wholeSeconds(error.retryAfterSeconds) };
  }

  @ResolveField('cache')
  cache({ cacheStatus, cacheAgeSeconds, cacheExpiresAt }: Execution) {
    const ageSeconds = cacheAgeSeconds === undefined ? null : Math.floor(cacheAgeSeconds);
    return { status: cacheStatus, ageSeconds, expiresAt: cacheExpiresAt ?? null };
  }

  @ResolveField('result')
  async result(
    execution: Execution,
    _args: unknown,
    context: RequestContext,
    info: GraphQLResolveInfo,
  ): Promise<ResultView | null> {
    const known = this.manifests.get(execution);
    if (known) return toResultView(execution, known);
    const withRows = selects(info, 'rows');
    const result = await resultOf(execution, withRows ? context.loaders.manifestsWithRows : context.loaders.manifests);
    // Without its rows it would send the next reader to the page table.
    if (result && withRows) this.manifests.keep(result.manifest);
    return result;
  }
}

function publicCodeOf(code: string): PublicErrorCode {
  return isErrorCode(code) ? toPublicErrorCode(code) : 'INTERNAL';
}
