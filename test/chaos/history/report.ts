export const invariants = ['ends', 'source', 'policies', 'events', 'changes'] as const;
export type Invariant = (typeof invariants)[number];

/** Says which promise was broken by what. */
export type Complain = (invariant: Invariant, fault: string) => void;
export type Count = (what: string, more?: number) => void;

/** How long those had to wait who were waiting when it was mended: for their execution's id, and for its end. */
export interface OutageReport {
  name: string;
  brokenMs: number;
  waiting: number;
  answeredAfterMs: number;
  followed: number;
  /** With the time that the questions take by themselves. */
  endedAfterMs: number;
}

export interface Report {
  counts: Record<string, number>;
  /** Ends of executions by kind of question. */
  ends: Record<string, number>;
  outages: OutageReport[];
  /** From the question to its end, before anything was broken. */
  longestQuestionMs: number;
  faults: Record<Invariant, string[]>;
  /** What no client should see of a planned restart; under other outages it may. */
  errors: string[];
}
