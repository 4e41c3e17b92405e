import { Injectable } from '@nestjs/common';
import { BusClient, serviceContext } from '#libs/bus';
import { workerRequests, type SourceConnection, type SourceHandle } from '#libs/contracts';
import type { Run } from '../run/run.types.js';

/** A statement where it runs, and the worker that is to be asked to end it. */
export interface StatementAtSource {
  readonly source: SourceConnection;
  readonly handle: SourceHandle;
  readonly instance: string | undefined;
}

@Injectable()
export class WorkerClient {
  constructor(private readonly bus: BusClient) {}

  /** Tells the worker that holds the run. @returns false where it does not hold it, or does not answer in time */
  async stop(run: Run, ttlMs: number): Promise<boolean> {
    if (run.workerId === undefined) return false;
    try {
      const { stopping } = await this.bus.request(
        workerRequests.stopRun,
        { runId: run.id, fence: run.fence, timedOut: run.cancelReason === 'TIMED_OUT' },
        { context: contextOf(run), ttlMs, instance: run.workerId },
      );
      return stopping;
    } catch {
      return false;
    }
  }

  /** Whether this worker takes more runs, by the word of the highest revision. @throws AppError `bus.timeout` where it does not answer */
  async setDraining(workerId: string, word: { draining: boolean; revision: number }): Promise<void> {
    const context = serviceContext('orchestrator', '');
    await this.bus.request(workerRequests.setDraining, word, { context, instance: workerId });
  }

  /** Has a worker cancel the statement at its source: the one that is named, or any. */
  async cancelAtSource(run: Run, { source, handle, instance }: StatementAtSource, ttlMs: number): Promise<boolean> {
    const { canceled } = await this.bus.request(
      workerRequests.cancelAtSource,
      { source, handle },
      { context: contextOf(run), ttlMs, ...(instance === undefined ? {} : { instance }) },
    );
    return canceled;
  }
}

function contextOf(run: Run): ReturnType<typeof serviceContext> {
  return serviceContext('orchestrator', run.workspaceId, run.requestId);
}
