import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { AppLogger } from '#libs/telemetry';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { WebhookDeliveryService } from './webhook-delivery.service.js';

/** Has every orchestrator look for what webhooks have to tell: again and again, and whenever there is room for more. */
@Injectable()
export class WebhookLoop implements OnApplicationBootstrap, OnModuleDestroy {
  private isStopping = false;
  private wake: () => void = () => undefined;
  private work: Promise<void> | undefined;

  constructor(
    private readonly deliveries: WebhookDeliveryService,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: OrchestratorConfig,
  ) {}

  onApplicationBootstrap(): void {
    this.work = this.run();
  }

  /** What is under way ends within a receiver's time; what is cut off is sent again by another. */
  async onModuleDestroy(): Promise<void> {
    this.isStopping = true;
    this.wake();
    await this.work;
    await this.deliveries.settle();
  }

  private async run(): Promise<void> {
    while (!this.isStopping) {
      const woken = new Promise<void>((resolve) => (this.wake = resolve));
      await this.deliveries
        .look(() => this.wake())
        .catch((err: unknown) => this.logger.warn({ err }, 'what webhooks have to tell could not be looked for'));
      await this.pause(woken);
    }
  }

  private async pause(woken: Promise<void>): Promise<void> {
    const timer = setTimeout(() => this.wake(), this.config.webhooks.pollMs);
    await woken;
    clearTimeout(timer);
  }
}
