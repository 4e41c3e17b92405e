import { ResolveField, Resolver } from '@nestjs/graphql';
import type { ActiveRun, DataSource, Execution, OperatedWorker, SourceQueue, Usage } from '#libs/contracts';
import { loadActor, type NodeLike } from '../node/node-kinds.js';
import type { RequestContext } from '../request/request-context.js';

/** What the service names by an id is looked up for the caller, who may not see all of it. */
@Resolver('OperationsQueue')
export class OperationsQueueResolver {
  @ResolveField('dataSource')
  dataSource(queue: SourceQueue, _args: unknown, { loaders }: RequestContext): Promise<DataSource | null> {
    return loaders.dataSources.load(queue.dataSourceId);
  }

  @ResolveField('depth')
  depth({ queued }: SourceQueue): number {
    return queued;
  }

  @ResolveField('oldestWaitSeconds')
  oldestWaitSeconds({ waitingSince }: SourceQueue): number | null {
    return waitingSince ? Math.max(0, (Date.now() - waitingSince.getTime()) / 1_000) : null;
  }
}

@Resolver('OperationsWorker')
export class OperationsWorkerResolver {
  @ResolveField('dataSourceIds')
  dataSourceIds({ sourceIds }: OperatedWorker): readonly string[] {
    return sourceIds;
  }

  @ResolveField('dataSourceTypes')
  dataSourceTypes({ sourceTypes }: OperatedWorker): readonly string[] {
    return sourceTypes;
  }

  @ResolveField('otherDataSources')
  otherDataSources({ otherSources }: OperatedWorker): number {
    return otherSources;
  }
}

@Resolver('OperationsRun')
export class OperationsRunResolver {
  @ResolveField('executionId')
  executionId({ executionId }: ActiveRun): string | null {
    return executionId === '' ? null : executionId;
  }

  @ResolveField('execution')
  async execution({ executionId }: ActiveRun, _args: unknown, { loaders }: RequestContext): Promise<Execution | null> {
    return executionId === '' ? null : loaders.executions.load(executionId);
  }

  @ResolveField('dataSource')
  dataSource({ dataSourceId }: ActiveRun, _args: unknown, { loaders }: RequestContext): Promise<DataSource | null> {
    return loaders.dataSources.load(dataSourceId);
  }

  @ResolveField('submittedBy')
  submittedBy({ submittedById }: ActiveRun, _args: unknown, context: RequestContext): Promise<NodeLike | null> {
    return loadActor(submittedById, context);
  }
}

@Resolver('UserUsage')
export class UserUsageResolver {
  @ResolveField('userId')
  userId({ id }: Usage): string {
    return id;
  }

  @ResolveField('user')
  user({ id }: Usage, _args: unknown, context: RequestContext): Promise<NodeLike | null> {
    return loadActor(id, context);
  }
}

@Resolver('DataSourceUsage')
export class DataSourceUsageResolver {
  @ResolveField('dataSourceId')
  dataSourceId({ id }: Usage): string {
    return id;
  }

  @ResolveField('dataSource')
  dataSource({ id }: Usage, _args: unknown, { loaders }: RequestContext): Promise<DataSource | null> {
    return loaders.dataSources.load(id);
  }
}
