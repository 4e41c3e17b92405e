import { Injectable } from '@nestjs/common';
import { BusClient, serviceContext, type MessageContext } from '#libs/bus';
import { InjectConfig } from '#libs/config';
import type { RequestContract, RunPlan } from '#libs/contracts';
import { AppError, backoffMs, delay } from '#libs/kernel';
import type { WorkerConfig } from '../worker.config.js';

/** Outcomes of which nobody knows whether the request was done, and which another sending may turn into an answer. */
const unanswered: ReadonlySet<string> = new Set(['bus.timeout', 'bus.unavailable', 'bus.unknown_outcome']);

/**
 * The requests of a run, repeated while they have no answer. Each is harmless when it is done twice: run and fence name
 * the one try that it belongs to, and what has already happened is answered as it was.
 */
@Injectable()
export class RepeatingRequests {
  constructor(
    private readonly bus: BusClient,
    @InjectConfig() private readonly config: WorkerConfig,
  ) {}

  /** @param name what the request is among those of the run's try, such as `page-3` */
  async ask<Request, Response>(
    contract: RequestContract<Request, Response>,
    input: Request,
    { workspaceId, requestId, runId, fence }: RunPlan,
    name: string,
  ): Promise<Response> {
    const context: MessageContext = serviceContext('worker', workspaceId, requestId);
    const idempotencyKey = `${runId}/${fence}/${name}`;
    const deadline = performance.now() + this.config.run.repeatSeconds * 1_000;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.bus.request(contract, input, { context, idempotencyKey });
      } catch (error) {
        const mayRepeat = error instanceof AppError && (unanswered.has(error.code) || error.retryable);
        if (!mayRepeat) throw error;
        if (performance.now() >= deadline) throw error.retryable ? error : unansweredFor(name, error);
        await delay(backoffMs(attempt, { initialMs: 50, maxMs: 1_000 }));
      }
    }
  }
}

/** Whoever asked for the run may ask again, as what is left open is harmless. */
function unansweredFor(name: string, cause: AppError): AppError {
  return new AppError('bus.timeout', 'The answer did not come in time.', {
    ...{ retryable: true, internalMessage: `no answer to ${name}: ${cause.message}`, cause },
  });
}
