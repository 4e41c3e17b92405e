import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { BusClient } from '#libs/bus';
import { InjectConfig } from '#libs/config';
import { rowsCommitted } from '#libs/contracts';
import type { ResultsConfig } from '../results.config.js';
import { refusalOfPage, refusalOfSeal, type Refusal } from './refusal.js';
import { WritingMetrics } from './writing.metrics.js';
import { WritingRepository } from './writing.repository.js';
import type { NewPage, NewSeal, Progress, RunTry, Standing } from './writing.types.js';
import { keptSeconds } from '../retention/kept-seconds.js';

/** Takes pages and seals of the one try that a run has, and nothing of any other. */
@Injectable()
export class WritingService {
  constructor(
    private readonly repository: WritingRepository,
    private readonly bus: BusClient,
    private readonly metrics: WritingMetrics,
    @InjectConfig() private readonly config: ResultsConfig,
  ) {}

  /** Makes a page readable. False: the run is not this try's any more. */
  async commitPage(asked: NewPage): Promise<boolean> {
    const isFirst = asked.page.number === 0;
    const taken = isFirst ? await this.repository.addFirstPage(asked) : await this.repository.addPage(asked);
    if (taken) {
      this.metrics.pageTaken(asked.page);
      this.tell(asked, taken);
      return true;
    }
    const standing = await this.repository.standingOf(asked.runId);
    const stored = await this.repository.pageOf(asked, asked.page.number);
    return this.answerRefusal('page', refusalOfPage(asked, standing, stored), asked, standing);
  }

  /** Completes a result. False: the run is not this try's any more. */
  async seal(asked: NewSeal): Promise<boolean> {
    const ttlSeconds = keptSeconds(this.config.retention);
    const taken = asked.inline
      ? await this.repository.sealInline(asked, ttlSeconds)
      : await this.repository.sealPages(asked, ttlSeconds);
    if (taken) {
      this.metrics.sealed(asked);
      // The end of the run follows at once and tells of rows that came with it.
      if (!asked.inline) this.tell(asked, taken);
      return true;
    }
    const standing = await this.repository.standingOf(asked.runId);
    const checksum = asked.inline && createHash('sha256').update(asked.inline).digest();
    return this.answerRefusal('seal', refusalOfSeal(asked, checksum, standing), asked, standing);
  }

  /** From its answer on nothing is taken from this fence or an older one. */
  async closeFence(closed: RunTry): Promise<Standing> {
    return this.repository.closeFence(closed);
  }

  private answerRefusal(what: 'page' | 'seal', refusal: Refusal, asked: RunTry, standing?: Standing): boolean {
    this.metrics.refused(what, refusal);
    // The first answer was lost, and so may have been what was told of it.
    if (refusal === 'repeated' && standing) this.tell(asked, standing);
    return refusal === 'repeated';
  }

  /** Behind the commit, and beside the answer: the worker does not wait for what only hurries. It never rejects. */
  private tell({ runId, workspaceId, fence }: RunTry, { rowCount, byteCount }: Progress): void {
    void this.bus.tell(rowsCommitted, runId, { runId, workspaceId, fence, rows: rowCount, bytes: byteCount });
  }
}
