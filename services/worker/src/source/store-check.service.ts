import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { BusClient, serviceContext } from '#libs/bus';
import { resultsRequests } from '#libs/contracts';
import { PageStore } from '#libs/result-store';
import { HealthRegistry } from '#libs/telemetry';

/** The worker is ready only while it sees the same result store as the service that owns the results. */
@Injectable()
export class StoreCheckService implements OnApplicationBootstrap, OnApplicationShutdown {
  private identity: string | undefined;

  constructor(
    private readonly bus: BusClient,
    private readonly store: PageStore,
    private readonly health: HealthRegistry,
  ) {}

  onApplicationBootstrap(): void {
    this.health.register('store', () => this.check());
  }

  onApplicationShutdown(): Promise<void> {
    return this.store.close();
  }

  /** Rejects where the store is not there, or is another. */
  async check(): Promise<void> {
    this.identity ??= (
      await this.bus.request(resultsRequests.getStore, {}, { context: serviceContext('worker', ''), ttlMs: 1_500 })
    ).identity;
    await this.store.prove(this.identity);
  }
}
