import { InjectQueue } from '@nestjs/bullmq';
import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { Queue } from 'bullmq';
import { InjectConfig } from '#libs/config';
import { runPlanCodec, type RunPlan } from '#libs/contracts';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { runQueueName } from './run-queue.options.js';

/**
 * The shallow lane to the workers. It is never asked for the truth: a job that could not be added, or was lost, leaves
 * its run DISPATCHED and unclaimed, and the reaper queues it again.
 */
@Injectable()
export class RunQueueStore implements BeforeApplicationShutdown {
  private readonly adds;
  private readonly underWay = new Set<Promise<void>>();
  /** Of workers that are bound to sources, by name. */
  private readonly queues = new Map<string, Queue>();

  constructor(
    @InjectQueue(runQueueName) private readonly queue: Queue,
    @InjectConfig() private readonly config: OrchestratorConfig,
    private readonly logger: AppLogger,
    metrics: MetricsRegistry,
  ) {
    // Without a listener a lost connection would end the process.
    queue.on('error', (err: Error) => logger.warn({ err }, 'the connection of the run queue has failed'));
    this.adds = metrics.counter({
      name: 'enqueues_total',
      help: 'Jobs handed to the workers’ queue.',
      labels: ['outcome'],
    });
  }

  /** In the background, as no answer depends on it. */
  add(plan: RunPlan, queueName = runQueueName): void {
    const work = this.addNow(plan, queueName).finally(() => this.underWay.delete(work));
    this.underWay.add(work);
  }

  /** Resolves when all that was handed over is in the queue, or has failed. */
  async settle(): Promise<void> {
    await Promise.all(this.underWay);
  }

  /** Behind the dispatcher, which all of its module end together with: its last look has jobs to hand over. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.settle();
    for (const queue of [this.queue, ...this.queues.values()]) await queue.close().catch(() => undefined);
  }

  private queueOf(name: string): Queue {
    if (name === runQueueName) return this.queue;
    const known = this.queues.get(name);
    if (known) return known;
    const queue = new Queue(name, this.queue.opts);
    queue.on('error', (err: Error) => this.logger.warn({ err }, 'the connection of the run queue has failed'));
    this.queues.set(name, queue);
    return queue;
  }

  private async addNow(plan: RunPlan, queueName: string): Promise<void> {
    const jobId = `${plan.runId}-${plan.fence}`;
    try {
      await within(
        this.config.queue.addTimeoutMs,
        this.queueOf(queueName).add(
          'run',
          { plan: Buffer.from(runPlanCodec.encode(plan)).toString('base64') },
          { jobId, attempts: 1, removeOnComplete: true, removeOnFail: true },
        ),
      );
      this.adds.inc({ outcome: 'added' });
    } catch (err) {
      this.adds.inc({ outcome: 'failed' });
      this.logger.warn({ err, runId: plan.runId, fence: plan.fence }, 'a job could not be added to the run queue');
    }
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
