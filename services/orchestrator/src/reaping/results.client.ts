import { Injectable } from '@nestjs/common';
import { BusClient, serviceContext } from '#libs/bus';
import { resultsRequests, type ResponseOf } from '#libs/contracts';
import type { Run } from '../run/run.types.js';

const fenceMs = 5_000;

@Injectable()
export class ResultsClient {
  constructor(private readonly bus: BusClient) {}

  /** From the answer on, nothing that this try writes is taken; the answer tells what was taken before. */
  async fence(run: Run): Promise<ResponseOf<typeof resultsRequests.fenceRun>> {
    return this.bus.request(
      resultsRequests.fenceRun,
      { workspaceId: run.workspaceId, runId: run.id, fence: run.fence },
      { context: serviceContext('orchestrator', run.workspaceId, run.requestId), ttlMs: fenceMs },
    );
  }
}
