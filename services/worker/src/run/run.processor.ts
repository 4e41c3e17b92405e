import { OnWorkerEvent, Processor, WorkerHost } from '@nestjs/bullmq';
import type { Job, WorkerOptions } from 'bullmq';
import { runPlanCodec } from '#libs/contracts';
import { withLogFields, type AppLogger } from '#libs/telemetry';
import type { RunExecutionService } from './run-execution.service.js';
import { inRunSpan } from './run-trace.js';

/** A job: the plan of one try of a run, in base64 of its protobuf message. */
interface RunJob {
  readonly plan: string;
}

/**
 * Takes jobs from the lane of a pool. A job is a hint that a run waits for this worker: whether it does, the claim
 * says. BullMQ never tries a job again; that is for PostgreSQL to decide.
 */
export class RunProcessor extends WorkerHost {
  constructor(
    private readonly runs: RunExecutionService,
    private readonly logger: AppLogger,
  ) {
    super();
  }

  // Without a listener a lost connection would end the process.
  @OnWorkerEvent('error')
  onError(err: Error): void {
    this.logger.warn({ err }, 'the connection to the lane of runs has failed');
  }

  async process(job: Job<RunJob>): Promise<string> {
    const plan = runPlanCodec.decode(Buffer.from(job.data.plan, 'base64'));
    const { requestId, workspaceId, runId } = plan;
    return withLogFields({ requestId, workspaceId, runId }, () => inRunSpan(plan, () => this.runs.execute(plan)));
  }

  /** Takes jobs from now on. */
  startTaking(): void {
    this.worker.run().catch((err: unknown) => this.logger.error({ err }, 'the lane of runs is no longer read'));
  }

  /** Takes jobs again. */
  takeAgain(): void {
    void this.worker.resume();
  }

  /** Takes no more jobs; those that are held go on. */
  async stopTaking(): Promise<void> {
    await this.worker.pause(true);
  }
}

/** The processor of a queue, whose name is a decorator's: each has a class of its own. */
export function runProcessorOf(
  { queue, slots }: { queue: string; slots: number },
  runs: RunExecutionService,
  logger: AppLogger,
): RunProcessor {
  const options: Omit<WorkerOptions, 'connection'> = {
    concurrency: slots,
    autorun: false,
    // A job whose worker died is taken from the lane; PostgreSQL knows its run and gives it out anew.
    maxStalledCount: 0,
    removeOnComplete: { count: 0 },
    removeOnFail: { count: 0 },
  };
  class PoolRunProcessor extends RunProcessor {}
  Processor(queue, options)(PoolRunProcessor);
  return new PoolRunProcessor(runs, logger);
}
