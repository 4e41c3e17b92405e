import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { delay } from '#libs/kernel';
import { Lifecycle } from '#libs/service';
import { ConnectorRegistry } from '../connector/connector-registry.js';
import type { WorkerConfig } from '../worker.config.js';
import { HeartbeatService } from './heartbeat.service.js';
import { HeldRuns } from './held-runs.js';
import { TakingRuns } from './taking-runs.service.js';

/** What is kept of the drain time to hand back what has not ended. */
const handBackMs = 4_000;

/** The orderly end of a worker: no new jobs, then the ends of those it holds, then the connections to sources. */
@Injectable()
export class WorkerDrain implements OnApplicationBootstrap {
  constructor(
    private readonly taking: TakingRuns,
    private readonly heartbeat: HeartbeatService,
    private readonly held: HeldRuns,
    private readonly connectors: ConnectorRegistry,
    private readonly lifecycle: Lifecycle,
    @InjectConfig() private readonly config: WorkerConfig,
  ) {}

  onApplicationBootstrap(): void {
    this.lifecycle.onDrain('runs', () => this.drain());
  }

  private async drain(): Promise<void> {
    await this.taking.end();
    // Nobody waits for the answer: it is the orchestrator that should know soon.
    const announced = this.heartbeat.announce(false);
    // What has not begun goes back at once; another worker begins it.
    for (const run of this.held.all()) if (!run.isClaimed) run.stop('draining');
    await this.endWithin(Math.max(0, this.config.service.drainSeconds * 1_000 - handBackMs));
    for (const run of this.held.all()) run.stop('draining');
    await this.endWithin(handBackMs);
    this.heartbeat.stop();
    await Promise.race([announced, delay(handBackMs)]);
    await this.connectors.close();
  }

  private async endWithin(ms: number): Promise<void> {
    const timeout = new AbortController();
    await Promise.race([this.held.empty(), delay(ms, { signal: timeout.signal })]);
    timeout.abort();
  }
}
