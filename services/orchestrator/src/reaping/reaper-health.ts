import type { Clock } from '#libs/kernel';

/**
 * Knows for how long this process has seen the world without a break. A reaper that was stopped, or cut off from
 * PostgreSQL or the bus, has not been able to hear heartbeats either, so it must not take silence for death.
 */
export class ReaperHealth {
  private healthySince: number | undefined;
  private lastTickAt: number | undefined;

  constructor(
    private readonly clock: Clock,
    /** Two looks further apart than this have missed what lay between. */
    private readonly gapMaxMs: number,
  ) {}

  /** Told at each look whether everything that heartbeats need was reachable. */
  tick(isReachable: boolean): void {
    const now = this.clock.monotonicMs();
    const hasGap = this.lastTickAt !== undefined && now - this.lastTickAt > this.gapMaxMs;
    this.lastTickAt = now;
    if (!isReachable) this.healthySince = undefined;
    else if (hasGap || this.healthySince === undefined) this.healthySince = now;
  }

  hasBeenHealthyFor(ms: number): boolean {
    return this.healthySince !== undefined && this.clock.monotonicMs() - this.healthySince >= ms;
  }
}
