import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { delay } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { LostAccessService } from './lost-access.service.js';

/** With the age of what is known of grants it stays below the 5 s in which a change holds everywhere. */
const roundMs = 2_000;

/** Has every orchestrator look who may no longer run what is running. */
@Injectable()
export class LostAccessLoop implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly stopping = new AbortController();
  private work: Promise<void> | undefined;

  constructor(
    private readonly service: LostAccessService,
    private readonly logger: AppLogger,
  ) {}

  onApplicationBootstrap(): void {
    this.work = this.run();
  }

  async onModuleDestroy(): Promise<void> {
    this.stopping.abort();
    await this.work;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      await delay(roundMs, { signal });
      await this.service
        .sweep()
        .catch((err: unknown) => this.logger.warn({ err }, 'what is running could not be looked through'));
    }
  }
}
