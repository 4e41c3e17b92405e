import type { BenchResult } from './report.ts';

/** How much is measured: all of it for the record, or a little to see that it works. */
export interface Effort {
  rounds: number;
  /** Shortens what is long within a round: 1 for the record. */
  scale: number;
  /** Results of the size that the figures are promised for, where a bench takes a smaller one by itself. */
  isFull: boolean;
}

/** A line on the terminal while it goes on. */
export type Say = (line: string) => void;

export type { BenchResult };
