import { Injectable } from '@nestjs/common';
import { HeartbeatService } from './heartbeat.service.js';
import { RunProcessor } from './run.processor.js';

/**
 * Whether this worker takes runs, as an operator wants it. What it holds goes on to its end, however long that takes: it is a
 * process that ends that hands back.
 */
@Injectable()
export class TakingRuns {
  private isEnding = false;

  constructor(
    private readonly processor: RunProcessor,
    private readonly heartbeat: HeartbeatService,
  ) {}

  /** For a process that ends: nobody has it take runs again. */
  async end(): Promise<void> {
    this.isEnding = true;
    await this.processor.stopTaking();
  }

  async set(takesRuns: boolean): Promise<void> {
    if (this.isEnding) return;
    if (takesRuns) this.processor.takeAgain();
    else await this.processor.stopTaking();
    await this.heartbeat.announce(takesRuns);
  }
}
