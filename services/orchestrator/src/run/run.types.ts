import type { RunError, RunState, SourceHandle } from '#libs/contracts';

/** Names one try of a run: what a write must match to be taken. */
export interface RunTry {
  readonly id: string;
  readonly fence: number;
}

/** A try with what the event of its end carries. */
export interface EndedTry extends RunTry {
  readonly workspaceId: string;
  readonly requestId: string;
}

/** What the rules of a run need to know of it; the plan's larger parts are read where they are needed. */
export interface Run extends EndedTry {
  readonly state: RunState;
  readonly version: number;
  readonly attempts: number;
  readonly attemptsMax: number;
  readonly class: PriorityClass;
  readonly pool: string;
  readonly sourceId: string;
  readonly keep: boolean;
  /** A caller has left it while others stayed, so not every execution has its state. */
  readonly wasLeft: boolean;
  readonly workerId: string | undefined;
  readonly sourceHandle: SourceHandle | undefined;
  readonly cancelReason: CancelReason | undefined;
  readonly rows: number;
  readonly bytes: number;
  readonly fraction: number | undefined;
  /** What the last try failed with, or why the run has ended. */
  readonly error: RunError | undefined;
  readonly timeoutMs: number;
  /** What is left of the run's time; undefined before a claim. */
  readonly remainingMs: number | undefined;
  /** From the first wish to the present, or to the end. */
  readonly ageSeconds: number;
  /** From the last time that it was queued to its claim. */
  readonly waitedSeconds: number | undefined;
  readonly startedAt: Date | undefined;
  readonly finishedAt: Date | undefined;
  readonly changedAt: Date;
}

export type CancelReason = 'CANCELED' | 'TIMED_OUT';

/** The smaller, the more urgent. */
export const priorityClass = { INTERACTIVE: 1, DASHBOARD: 2, SCHEDULED: 3 } as const;
export type PriorityClass = (typeof priorityClass)[keyof typeof priorityClass];

export const priorityOfClass = { 1: 'INTERACTIVE', 2: 'DASHBOARD', 3: 'SCHEDULED' } as const;
