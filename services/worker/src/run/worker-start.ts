import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { delay } from '#libs/kernel';
import { Lifecycle } from '#libs/service';
import { AppLogger } from '#libs/telemetry';
import { StoreCheckService } from '../source/store-check.service.js';
import { HeartbeatService } from './heartbeat.service.js';
import { RunProcessor } from './run.processor.js';

const retryMs = 500;

/** Takes runs once this worker is known to see the store of results, and not before: pages in another would be lost. */
@Injectable()
export class WorkerStart implements OnApplicationBootstrap {
  private readonly stopping = new AbortController();

  constructor(
    private readonly store: StoreCheckService,
    private readonly processor: RunProcessor,
    private readonly heartbeat: HeartbeatService,
    private readonly lifecycle: Lifecycle,
    private readonly logger: AppLogger,
  ) {}

  onApplicationBootstrap(): void {
    const started = this.start();
    this.lifecycle.onDrain('start', async () => {
      this.stopping.abort();
      await started;
    });
  }

  private async start(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        await this.store.check();
        this.processor.startTaking();
        return this.heartbeat.start();
      } catch (err) {
        this.logger.warn({ err }, 'no run is taken, as the store of results is not proven to be the right one');
        await delay(retryMs, { signal });
      }
    }
  }
}
