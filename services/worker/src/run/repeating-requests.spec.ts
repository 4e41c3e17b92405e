import { describe, expect, it } from 'vitest';
import type { BusClient } from '#libs/bus';
import { runRequests, type RequestOf, type RunPlan } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import type { WorkerConfig } from '../worker.config.js';
import { RepeatingRequests } from './repeating-requests.js';

// The requests look at nothing else of a plan.
const plan = { workspaceId: 'wsp_1', requestId: 'req_1', runId: 'run_1', fence: 2 } as RunPlan;
const claim: RequestOf<typeof runRequests.claimRun> = { runId: 'run_1', fence: 2, workerId: 'worker-1' };
const granted = { granted: true, timeoutMs: 1_000 };

/** A bus on which each request ends as the list says, and the last of it again and again. */
class EndingBus {
  readonly keys: string[] = [];

  constructor(private readonly ends: readonly (AppError | typeof granted)[]) {}

  async request(_contract: unknown, _input: unknown, options: { idempotencyKey: string }): Promise<unknown> {
    this.keys.push(options.idempotencyKey);
    const end = this.ends[Math.min(this.keys.length, this.ends.length) - 1];
    if (end instanceof AppError) throw end;
    return end;
  }

  ask(repeatSeconds: number): Promise<unknown> {
    // They look at nothing else of the bus and of the settings.
    const config = { run: { repeatSeconds } } as WorkerConfig;
    const requests = new RepeatingRequests(this as unknown as BusClient, config);
    return requests.ask(runRequests.claimRun, claim, plan, 'claim');
  }
}

const unanswered = (code: 'bus.timeout' | 'bus.unknown_outcome'): AppError => new AppError(code, 'No answer.');

describe('a request of a run', () => {
  it('is repeated with the key of its try while nobody knows its outcome', async () => {
    const bus = new EndingBus([unanswered('bus.timeout'), unanswered('bus.unknown_outcome'), granted]);
    expect(await bus.ask(30)).toEqual(granted);
    expect(bus.keys).toEqual(Array(3).fill('run_1/2/claim'));
  });

  it('whose repeats run out ends as a time-out that may be asked again, whatever it was left open by', async () => {
    const cause = unanswered('bus.unknown_outcome');
    const bus = new EndingBus([cause]);
    await expect(bus.ask(0.1)).rejects.toMatchObject({ code: 'bus.timeout', retryable: true, cause });
    expect(bus.keys.length).toBeGreaterThan(1);
  });

  it('whose repeats run out says what may be asked again in its own words', async () => {
    const refusal = new AppError('run.queue_full', 'Too many wait.', { retryable: true, retryAfterSeconds: 3 });
    await expect(new EndingBus([refusal]).ask(0.1)).rejects.toBe(refusal);
  });

  it('is not repeated where it was answered with an error', async () => {
    const bus = new EndingBus([new AppError('run.not_found', 'There is no such run.')]);
    await expect(bus.ask(30)).rejects.toMatchObject({ code: 'run.not_found' });
    expect(bus.keys).toHaveLength(1);
  });
});
