import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { RequestOf, ResponseOf, runRequests } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { RunChanges } from '../run/run-changes.service.js';
import { HeartbeatRepository } from './heartbeat.repository.js';

const runsMax = 1_000;
const bindingsMax = 1_000;
const queueNames = /^run-[a-z0-9-]{1,100}$/;

@Injectable()
export class HeartbeatService {
  constructor(
    private readonly repository: HeartbeatRepository,
    private readonly changes: RunChanges,
    @InjectConfig() private readonly config: OrchestratorConfig,
  ) {}

  async beat(input: RequestOf<typeof runRequests.heartbeat>): Promise<ResponseOf<typeof runRequests.heartbeat>> {
    if (input.slots < 0 || input.runs.length > runsMax) {
      throw new AppError('input.invalid', `slots must not be negative, and runs at most ${runsMax}.`);
    }
    // A worker of an older release names no queue, and has one for its whole pool.
    const queue = input.queue === '' ? `run-${input.pool}` : input.queue;
    if (!queueNames.test(queue) || input.sourceIds.length + input.sourceTypes.length > bindingsMax) {
      throw new AppError(
        'input.invalid',
        `The queue has no good name, or there are more than ${bindingsMax} bindings.`,
      );
    }
    const beat = { ...input, queue };
    const { held, stopped, hasMoreSlots } = await this.repository.beat(beat, this.config.lease.leaseSeconds);
    // A worker beats every few seconds, so this alone keeps the firehose from being flooded.
    for (const { run, hasProgressed } of held) if (hasProgressed) this.changes.progressed(run);
    if (hasMoreSlots) this.changes.queueChanged(input.pool);
    return { stopped: stopped.map(({ id, fence }) => ({ runId: id, fence })) };
  }
}
