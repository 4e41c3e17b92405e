import { Injectable } from '@nestjs/common';
import type { MessageContext } from '#libs/bus';
import { InjectConfig } from '#libs/config';
import type { OperatedWorker, operationsRequests, RequestOf, ResponseOf, SourceQueue } from '#libs/contracts';
import type { Principal } from '#libs/identity';
import { AppError, isId, toAppError } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { defaultPool } from '../dispatch/pool.js';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { AuthClient } from '../plan/auth.client.js';
import { StopService } from '../reaping/stop.service.js';
import { WorkerClient } from '../reaping/worker.client.js';
import { RunChanges } from '../run/run-changes.service.js';
import { KillRepository } from './kill.repository.js';
import { OperationsRepository, type UsageOrder } from './operations.repository.js';
import { WorkerListRepository } from './worker-list.repository.js';

type Requests = typeof operationsRequests;

const limitMax = 100;

const orders = { RUNS: 'runs', SECONDS: 'seconds', ROWS: 'rows' } as const satisfies Record<string, UsageOrder>;

/** What operators see and do. A workspace sees its own runs; workers are of the installation, and are drained by who operates it. */
@Injectable()
export class OperationsService {
  constructor(
    private readonly repository: OperationsRepository,
    private readonly workerList: WorkerListRepository,
    private readonly kills: KillRepository,
    private readonly changes: RunChanges,
    private readonly stops: StopService,
    private readonly workers: WorkerClient,
    private readonly auth: AuthClient,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: OrchestratorConfig,
  ) {}

  queues({ workspaceId }: Principal): Promise<SourceQueue[]> {
    return this.repository.queues(workspaceId, defaultPool);
  }

  listWorkers({ workspaceId }: Principal): Promise<OperatedWorker[]> {
    return this.workerList.list(workspaceId, defaultPool, this.config.lease.workerLiveSeconds);
  }

  async slowRuns(
    { ended, limit }: RequestOf<Requests['listSlowRuns']>,
    { workspaceId }: Principal,
  ): Promise<ResponseOf<Requests['listSlowRuns']>> {
    checkLimit(limit);
    const runs = ended
      ? await this.repository.ended(workspaceId, limit)
      : await this.repository.running(workspaceId, defaultPool, limit);
    return { runs };
  }

  async usage(
    { of, by, limit }: RequestOf<Requests['listUsage']>,
    { workspaceId }: Principal,
  ): Promise<ResponseOf<Requests['listUsage']>> {
    checkLimit(limit);
    const usages =
      of === 'USERS'
        ? await this.repository.usageOfUsers(workspaceId, orders[by], limit)
        : await this.repository.usageOfSources(workspaceId, orders[by], limit);
    return { usages };
  }

  /** @throws AppError `run.not_found` */
  async kill(id: string, { workspaceId }: Principal): Promise<void> {
    const outcome = isId('execution', id) ? await this.kills.kill(id, workspaceId) : ({ kind: 'absent' } as const);
    if (outcome.kind === 'absent') {
      throw new AppError('run.not_found', 'There is no such execution.', { path: ['id'] });
    }
    if (outcome.kind === 'ended') return;
    this.changes.moved(outcome.run);
    if (outcome.run.state === 'CANCELING') this.stops.start(outcome.run);
  }

  /** @throws AppError `auth.forbidden`, `worker.not_found` */
  async setDraining(
    { workerId, draining }: RequestOf<Requests['setWorkerDraining']>,
    principal: Principal,
    context: MessageContext,
  ): Promise<OperatedWorker> {
    if (!(await this.auth.mayOperate(context))) {
      throw new AppError('auth.forbidden', 'Workers are drained by those who operate the installation.');
    }
    const known = (await this.listWorkers(principal)).find(({ id }) => id === workerId);
    if (!known || known.state === 'SILENT') throw workerNotFound();
    await this.tellDraining(principal.workspaceId, workerId, draining);
    const workers = await this.listWorkers(principal);
    return workers.find(({ id }) => id === workerId) ?? known;
  }

  private async tellDraining(workspaceId: string, workerId: string, draining: boolean): Promise<void> {
    const revision = await this.workerList.orderDraining(workspaceId, workerId, draining);
    if (revision === undefined) throw workerNotFound();
    try {
      await this.workers.setDraining(workerId, { draining, revision });
    } catch (error) {
      const { code } = toAppError(error);
      const failure = code === 'bus.timeout' ? 'no_answer' : code;
      await this.workerList
        .noteFailure(workspaceId, workerId, draining, failure)
        .catch((err: unknown) =>
          this.logger.error({ err, workerId, failure }, 'a failed drain is not in the audit log'),
        );
      throw error;
    }
  }
}

function workerNotFound(): AppError {
  return new AppError('worker.not_found', 'No such worker was heard of lately.', { path: ['id'] });
}

function checkLimit(limit: number): void {
  if (limit >= 1 && limit <= limitMax) return;
  throw new AppError('input.invalid', `first must be from 1 to ${limitMax}.`, { path: ['first'] });
}
