import { Injectable } from '@nestjs/common';
import { BusClient, serviceContext } from '#libs/bus';
import { InjectConfig } from '#libs/config';
import { runRequests } from '#libs/contracts';
import { AppLogger } from '#libs/telemetry';
import type { WorkerConfig } from '../worker.config.js';
import { HeldRuns } from './held-runs.js';
import { runQueueName } from './run-queue-name.js';

/**
 * Tells the orchestrator every few seconds that this worker lives, how many runs it can hold and which it holds; the
 * answer names those that it should no longer hold. A beat without an answer changes nothing: a worker stops a run when
 * it is told to or when a write is refused, not because the bus is silent.
 */
@Injectable()
export class HeartbeatService {
  private timer: NodeJS.Timeout | undefined;
  private slots: number;
  private isStopped = false;

  constructor(
    private readonly bus: BusClient,
    private readonly held: HeldRuns,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: WorkerConfig,
  ) {
    this.slots = config.run.slots;
  }

  /** From now on this worker takes runs. */
  start(): void {
    this.schedule(0);
  }

  /** Whether this worker can hold more runs from now on; told at once. */
  async announce(takesRuns: boolean): Promise<void> {
    this.slots = takesRuns ? this.config.run.slots : 0;
    await this.beat();
  }

  stop(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
  }

  private schedule(delayMs: number): void {
    if (this.isStopped) return;
    this.timer = setTimeout(() => void this.beat().then(() => this.schedule(this.config.run.heartbeatMs)), delayMs);
  }

  private async beat(): Promise<void> {
    const runs = this.held.all().filter(({ isClaimed }) => isClaimed);
    try {
      const { stopped } = await this.bus.request(
        runRequests.heartbeat,
        {
          workerId: this.bus.instance,
          pool: this.config.run.pool,
          slots: this.slots,
          queue: runQueueName(this.config.run),
          sourceIds: this.config.run.sourceIds.toSorted(),
          sourceTypes: this.config.run.sourceTypes.toSorted(),
          runs: runs.map(({ plan: { runId, fence }, rows, bytes }) => ({ runId, fence, rows, bytes })),
        },
        // An answer that comes later than the next beat is of no use.
        { context: serviceContext('worker', ''), ttlMs: Math.max(1_000, this.config.run.heartbeatMs) },
      );
      for (const { runId, fence } of stopped) this.held.stop(runId, fence, 'canceled');
    } catch (err) {
      this.logger.warn({ err, runs: runs.length }, 'a heartbeat had no answer');
    }
  }
}
