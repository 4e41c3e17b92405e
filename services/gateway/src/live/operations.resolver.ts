import { Mutation, Query, ResolveField, Resolver } from '@nestjs/graphql';
import {
  operationsRequests as requests,
  operatorRequests,
  type ActiveRun,
  type Execution,
  type OperatedWorker,
  type SourceQueue,
  type Usage,
} from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { payloadOf, type Payload } from '../errors/payload.js';
import type { RequestContext } from '../request/request-context.js';
import { HealthService, type Health } from './health.service.js';

interface Operations {
  readonly mayOperateInstallation: boolean;
}

interface FirstArgs {
  readonly first: number;
}

interface UsageArgs extends FirstArgs {
  readonly by: 'RUNS' | 'SECONDS' | 'ROWS';
}

interface IdArgs {
  readonly id: string;
}

type WorkerPayload = Payload<{ worker: OperatedWorker | undefined }>;

@Resolver('Operations')
export class OperationsResolver {
  constructor(private readonly healths: HealthService) {}

  /** Auth proves the permission; what is below is asked of others, so that it can be had while some do not answer. */
  @Query('operations')
  async operations(_root: unknown, _args: unknown, context: RequestContext): Promise<Operations> {
    return { mayOperateInstallation: (await context.ask(operatorRequests.mayOperate, {})).mayOperate };
  }

  @ResolveField('health')
  async health({ mayOperateInstallation }: Operations): Promise<Health & { healthy: boolean }> {
    if (!mayOperateInstallation) {
      throw new AppError('auth.forbidden', 'The health is for those who operate the installation.');
    }
    const health = await this.healths.examine();
    return { ...health, healthy: health.findings.every(({ severity }) => severity === 'NOTICE') };
  }

  @ResolveField('queues')
  async queues(_root: unknown, _args: unknown, context: RequestContext): Promise<SourceQueue[]> {
    return (await context.ask(requests.listQueues, {})).queues;
  }

  @ResolveField('workers')
  async workers(_root: unknown, _args: unknown, context: RequestContext): Promise<OperatedWorker[]> {
    return (await context.ask(requests.listWorkers, {})).workers;
  }

  @ResolveField('running')
  async running(_root: unknown, { first }: FirstArgs, context: RequestContext): Promise<ActiveRun[]> {
    return (await context.ask(requests.listSlowRuns, { ended: false, limit: atLeastNone(first) })).runs;
  }

  @ResolveField('slow')
  async slow(_root: unknown, { first }: FirstArgs, context: RequestContext): Promise<ActiveRun[]> {
    return (await context.ask(requests.listSlowRuns, { ended: true, limit: atLeastNone(first) })).runs;
  }

  @ResolveField('topUsers')
  async topUsers(_root: unknown, { by, first }: UsageArgs, context: RequestContext): Promise<Usage[]> {
    return (await context.ask(requests.listUsage, { of: 'USERS', by, limit: atLeastNone(first) })).usages;
  }

  @ResolveField('topDataSources')
  async topDataSources(_root: unknown, { by, first }: UsageArgs, context: RequestContext): Promise<Usage[]> {
    return (await context.ask(requests.listUsage, { of: 'SOURCES', by, limit: atLeastNone(first) })).usages;
  }

  @Mutation('killExecution')
  killExecution(
    _root: unknown,
    { id }: IdArgs,
    context: RequestContext,
  ): Promise<Payload<{ execution: Execution | null }>> {
    return payloadOf(async () => {
      await context.ask(requests.killExecution, { id });
      return { execution: await context.loaders.executions.load(id) };
    });
  }

  @Mutation('drainWorker')
  drainWorker(_root: unknown, { id }: IdArgs, context: RequestContext): Promise<WorkerPayload> {
    return payloadOf(() => context.ask(requests.setWorkerDraining, { workerId: id, draining: true }));
  }

  @Mutation('undrainWorker')
  undrainWorker(_root: unknown, { id }: IdArgs, context: RequestContext): Promise<WorkerPayload> {
    return payloadOf(() => context.ask(requests.setWorkerDraining, { workerId: id, draining: false }));
  }
}

/** The service refuses 0; a negative number does not travel. */
function atLeastNone(first: number): number {
  return Math.max(0, first);
}
