import type { Execution, RunState } from '#libs/contracts';
import type { RowPage } from '../results/results.service.js';

/** The members of the contract's interface ExecutionEvent, told apart by __typename. */
export type ExecutionEvent =
  | { readonly __typename: 'ExecutionSnapshot'; readonly cursor: string; readonly execution: Execution }
  | {
      readonly __typename: 'ExecutionStateChanged';
      readonly cursor: string;
      readonly execution: Execution;
      readonly state: RunState;
      readonly version: number;
      readonly at: Date;
    }
  | { readonly __typename: 'ExecutionProgressed'; readonly cursor: string; readonly execution: Execution }
  | {
      readonly __typename: 'RowsAppended';
      readonly cursor: string;
      readonly execution: Execution;
      readonly page: RowPage;
    }
  | {
      readonly __typename: 'EventsSkipped';
      readonly cursor: string;
      readonly execution: Execution | null;
      readonly reason: string;
    };
