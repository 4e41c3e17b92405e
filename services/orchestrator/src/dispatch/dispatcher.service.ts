import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { delay } from '#libs/kernel';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { RunChanges } from '../run/run-changes.service.js';
import { priorityOfClass } from '../run/run.types.js';
import { DispatchRepository } from './dispatch.repository.js';
import { defaultPool } from './pool.js';
import { RunQueueStore } from './run-queue.store.js';

/** One transaction dispatches no more than this, so that it stays short. */
const batchMax = 32;
/** While another instance dispatches, ask again this soon: it may have looked just before the change we were told of. */
const busyWaitMs = 4;
/** After this many times the other instance has surely looked, or the next poll will. */
const busyTriesMax = 50;

/**
 * Moves runs from the backlog to free slots. It is woken by whatever changes the queue, and looks by itself from time
 * to time; any number of instances may do so at once.
 */
@Injectable()
export class DispatcherService implements OnApplicationBootstrap, OnModuleDestroy {
  private isWanted = false;
  private work: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private isStopped = false;
  private readonly seconds;
  private readonly dispatched;

  constructor(
    private readonly repository: DispatchRepository,
    private readonly queue: RunQueueStore,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: OrchestratorConfig,
    changes: RunChanges,
    metrics: MetricsRegistry,
  ) {
    changes.onQueueChanged(() => this.poke());
    this.seconds = metrics.histogram({ name: 'dispatch_seconds', help: 'One look at the backlog.' });
    this.dispatched = metrics.counter({ name: 'dispatches_total', help: 'Runs dispatched from the backlog.' });
    const labels = ['pool', 'priority'] as const;
    metrics.gauge({ name: 'queue_runs', help: 'Runs that wait for a slot.', labels }, async (gauge) => {
      gauge.reset();
      for (const row of await repository.depths())
        gauge.set({ pool: row.pool, priority: priorityOfClass[row.class] }, Number(row.queued));
    });
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.poke(), this.config.queue.pollMs);
    this.timer.unref();
    this.poke();
  }

  async onModuleDestroy(): Promise<void> {
    this.isStopped = true;
    clearInterval(this.timer);
    await this.work;
  }

  /** Looks at the queue soon. Many calls while one look is under way cause one more. */
  poke(): void {
    if (this.isStopped) return;
    this.isWanted = true;
    this.work ??= this.run().finally(() => {
      this.work = undefined;
      // Wanted again between the last look and now.
      if (this.isWanted) this.poke();
    });
  }

  private async run(): Promise<void> {
    let busyTries = 0;
    while (this.isWanted && !this.isStopped) {
      this.isWanted = false;
      try {
        const outcome = await this.look();
        if (outcome === 'more') this.isWanted = true;
        if (outcome === 'busy' && (busyTries += 1) < busyTriesMax) {
          this.isWanted = true;
          await delay(busyWaitMs * (0.5 + Math.random()));
        }
      } catch (err) {
        // The next poll looks again.
        this.logger.warn({ err }, 'the backlog could not be dispatched');
      }
    }
  }

  private async look(): Promise<'done' | 'more' | 'busy'> {
    if (!(await this.repository.hasBacklog(defaultPool))) return 'done';
    const end = this.seconds.startTimer();
    const outcome = await this.repository.fill(defaultPool, batchMax);
    end();
    if (outcome.kind === 'busy') return 'busy';
    this.dispatched.inc(outcome.dispatched.length);
    for (const { plan, queue } of outcome.dispatched) this.queue.add(plan, queue);
    return outcome.hasMore ? 'more' : 'done';
  }
}
