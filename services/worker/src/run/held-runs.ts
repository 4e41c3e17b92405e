import { Injectable } from '@nestjs/common';
import type { HeldRun, StopReason } from './held-run.js';

/** The runs that this worker holds, from the moment a job is taken to its end. */
@Injectable()
export class HeldRuns {
  private readonly runs = new Map<string, HeldRun>();
  private whenEmpty: (() => void)[] = [];

  add(run: HeldRun): void {
    this.runs.set(keyOf(run.plan.runId, run.plan.fence), run);
  }

  remove(run: HeldRun): void {
    const key = keyOf(run.plan.runId, run.plan.fence);
    if (this.runs.get(key) === run) this.runs.delete(key);
    if (this.runs.size > 0) return;
    for (const resolve of this.whenEmpty.splice(0)) resolve();
  }

  has(runId: string, fence: number): boolean {
    return this.runs.has(keyOf(runId, fence));
  }

  /** False where this worker does not hold it. */
  stop(runId: string, fence: number, reason: StopReason): boolean {
    const run = this.runs.get(keyOf(runId, fence));
    run?.stop(reason);
    return run !== undefined;
  }

  all(): readonly HeldRun[] {
    return [...this.runs.values()];
  }

  get count(): number {
    return this.runs.size;
  }

  /** Resolves when no run is held. */
  empty(): Promise<void> {
    if (this.runs.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.whenEmpty.push(resolve));
  }
}

/** A later try of the same run is another one. */
function keyOf(runId: string, fence: number): string {
  return `${runId}/${fence}`;
}
