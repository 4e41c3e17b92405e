import { Injectable } from '@nestjs/common';
import { HeartbeatService } from './heartbeat.service.js';
import { RunProcessor } from './run.processor.js';

/**
 * Whether this worker takes runs, as an operator wants it. What it holds goes on to its end, however long that takes: it is a
 * process that ends that hands back.
 */
@Injectable()
export class TakingRuns {
  constructor(
    private readonly processor: RunProcessor,
    private readonly heartbeat: HeartbeatService,
  ) {}

  async set(takesRuns: boolean): Promise<void> {
    if (takesRuns) this.processor.takeAgain();
    else await this.processor.stopTaking();
    await this.heartbeat.announce(takesRuns);
  }
}
