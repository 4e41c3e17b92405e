import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { RunFinished } from '#libs/contracts';
import { ResultStore } from '#libs/result-store';
import type { ResultsConfig } from '../results.config.js';
import { WritingRepository } from './writing.repository.js';
import type { Standing } from './writing.types.js';
import { keptSeconds } from '../retention/kept-seconds.js';

/**
 * What is left to do when a run is final. It needs no dedupe row: closing what is closed and deleting what is gone
 * change nothing, and a redelivery after half of it does the other half.
 */
@Injectable()
export class RunEndService {
  constructor(
    private readonly repository: WritingRepository,
    private readonly store: ResultStore,
    @InjectConfig() private readonly config: ResultsConfig,
  ) {}

  async end({ runId, workspaceId, fence, state }: RunFinished): Promise<void> {
    // Never dispatched, so nobody can have written or will.
    if (fence < 1) return;
    const run = { runId, workspaceId, fence };
    if (state !== 'SUCCEEDED') {
      const standing = await this.repository.closeRun(run, keptSeconds(this.config.retention));
      await this.keepOnly(standing);
    } else if (fence > 1) {
      const standing = await this.repository.standingOf(runId);
      if (standing) await this.keepOnly(standing);
    }
  }

  /** A try that was given up may have stored pages that were never committed. */
  private async keepOnly(standing: Standing): Promise<void> {
    await this.store.keepOnlyFence(standing, standing.pageCount > 0 ? standing.fence : undefined);
  }
}
