import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { delay } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { WarmUpService } from './warm-up.service.js';

const pollMs = 1_000;

/** Has every orchestrator look for warm-ups that are due. */
@Injectable()
export class WarmUpLoop implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly stopping = new AbortController();
  private work: Promise<void> | undefined;

  constructor(
    private readonly service: WarmUpService,
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
      await this.service
        .runDue(signal)
        .catch((err: unknown) => this.logger.warn({ err }, 'what is to be warmed up could not be looked for'));
      await delay(pollMs, { signal });
    }
  }
}
