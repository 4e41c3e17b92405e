import { Injectable } from '@nestjs/common';
import { BusClient, serviceContext } from '#libs/bus';
import { workerRequests, type SourceConnection, type SourceHandle } from '#libs/contracts';
import type { Run } from '../run/run.types.js';

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

  /** Has any worker cancel the statement at its source. */
  async cancelAtSource(run: Run, source: SourceConnection, handle: SourceHandle, ttlMs: number): Promise<boolean> {
    const { canceled } = await this.bus.request(
      workerRequests.cancelAtSource,
      { source, handle },
      { context: contextOf(run), ttlMs },
    );
    return canceled;
  }
}

function contextOf(run: Run): ReturnType<typeof serviceContext> {
  return serviceContext('orchestrator', run.workspaceId, run.requestId);
}
