import type { RunPlan } from '#libs/contracts';
import type { SourceSession } from '../connector/connector.js';

/** Why a run is to end before its statement does. */
export type StopReason =
  /** Whoever asked for it no longer wants it. */
  | 'canceled'
  | 'timedOut'
  /** It is another's by now: a write was refused, or the orchestrator said so. */
  | 'lost'
  /** This worker is stopping. */
  | 'draining';

/** What is thrown inside a run to leave it, once a reason to stop has been given. */
export class RunStoppedError extends Error {
  override readonly name = 'RunStoppedError';

  constructor(readonly reason: StopReason) {
    super(`the run is stopped: ${reason}`);
  }
}

/** How long a source may take to end a statement that was canceled, before its session is dropped. */
const stopGraceMs = 3_000;

/** One run while this worker holds it. */
export class HeldRun {
  rows = 0;
  bytes = 0;
  pagesCommitted = 0;
  /** True from the claim on: the run is RUNNING, and this worker's. */
  isClaimed = false;
  private reason: StopReason | undefined;
  private session: SourceSession | undefined;
  private timer: NodeJS.Timeout | undefined;
  private isGraceOver = false;
  /** Leaves the wait that is going on, when a run that was stopped has not ended within the grace. */
  private giveUp: (() => void) | undefined;

  constructor(
    readonly plan: RunPlan,
    private readonly onCancelFailed: (error: unknown) => void,
  ) {}

  get stopReason(): StopReason | undefined {
    return this.reason;
  }

  /** From here on a stop also ends what runs at the source. */
  attach(session: SourceSession): void {
    this.session = session;
    if (this.reason !== undefined) this.cancelSession();
  }

  /** The first reason is the one that counts. */
  stop(reason: StopReason): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    this.timer = setTimeout(() => {
      this.isGraceOver = true;
      this.giveUp?.();
    }, stopGraceMs);
    this.timer.unref();
    this.cancelSession();
  }

  /**
   * Resolves as the work does, unless the run is stopped and the work does not notice in time. Not by Promise.race: a
   * promise that stays open keeps the outcome of every race that it has been in.
   */
  async within<T>(work: Promise<T>): Promise<T> {
    const outcome = await new Promise<T>((resolve, reject) => {
      this.giveUp = () => reject(new RunStoppedError(this.reason ?? 'canceled'));
      work.then(resolve, reject);
      // The run may have been stopped, and its grace may be over, while it waited for something else.
      if (this.isGraceOver) this.giveUp();
    });
    this.giveUp = undefined;
    this.assertWanted();
    return outcome;
  }

  assertWanted(): void {
    if (this.reason !== undefined) throw new RunStoppedError(this.reason);
  }

  end(): void {
    clearTimeout(this.timer);
  }

  private cancelSession(): void {
    this.session?.cancel().catch(this.onCancelFailed);
  }
}
