import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { RequestOf, ResponseOf, runRequests } from '#libs/contracts';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { RunChanges } from './run-changes.service.js';
import { RunRepository } from './run.repository.js';

@Injectable()
export class ClaimService {
  constructor(
    private readonly runs: RunRepository,
    private readonly changes: RunChanges,
    @InjectConfig() private readonly config: OrchestratorConfig,
  ) {}

  /** Grants a run to the first worker that asks under its fence. */
  async claim(input: RequestOf<typeof runRequests.claimRun>): Promise<ResponseOf<typeof runRequests.claimRun>> {
    const claimed = await this.runs.claim(
      { id: input.runId, fence: input.fence },
      input.workerId,
      input.handle ?? { values: {} },
      this.config.lease.leaseSeconds,
    );
    if (!claimed) return { granted: false, timeoutMs: 0 };
    if (claimed.isNew) this.changes.moved(claimed.run);
    return { granted: true, timeoutMs: claimed.run.remainingMs ?? claimed.run.timeoutMs };
  }
}
