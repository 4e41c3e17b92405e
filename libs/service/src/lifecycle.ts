import { Injectable } from '@nestjs/common';
import type { AppLogger } from '#libs/telemetry';

interface Step {
  name: string;
  run: () => Promise<void>;
}

/** What a stopping process does, in the reverse order of registration, so that what was opened last closes first. */
@Injectable()
export class Lifecycle {
  private readonly steps: Step[] = [];

  constructor(private readonly logger: AppLogger) {}

  /** `run` stops taking new work, finishes what has begun and resolves. A failure is logged and stops nothing. */
  onDrain(name: string, run: () => Promise<void>): void {
    this.steps.push({ name, run });
  }

  async drain(): Promise<void> {
    for (const { name, run } of this.steps.toReversed()) {
      try {
        await run();
      } catch (err) {
        this.logger.error({ err, step: name }, 'a step of draining failed');
      }
    }
  }
}
