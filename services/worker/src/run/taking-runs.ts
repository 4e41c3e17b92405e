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
  private revision = 0;
  private setting: Promise<void> = Promise.resolve();

  constructor(
    private readonly processor: RunProcessor,
    private readonly heartbeat: HeartbeatService,
  ) {}

  /** For a process that ends: nobody has it take runs again. */
  async end(): Promise<void> {
    this.isEnding = true;
    await this.processor.stopTaking();
  }

  /**
   * One after the other, and by the word of the highest revision: a drain and its end may overtake each other on their way. A
   * release before counts none and says 0.
   */
  set(takesRuns: boolean, revision: number): Promise<void> {
    const set = async (): Promise<void> => {
      if (this.isEnding || (revision > 0 && revision < this.revision)) return;
      this.revision = Math.max(this.revision, revision);
      if (takesRuns) this.processor.takeAgain();
      else await this.processor.stopTaking();
      await this.heartbeat.announce(takesRuns);
    };
    this.setting = this.setting.catch(() => undefined).then(set);
    return this.setting;
  }
}
