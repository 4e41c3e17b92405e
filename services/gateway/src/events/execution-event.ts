import type { Execution, RunState } from '#libs/contracts';
import type { RowPage } from '../results/results.service.js';

interface Placed {
  /** Where it is to go on from. */
  readonly cursor: string;
  /** All that has been told with this event, so that equal places have the same to come. */
  readonly place: string;
  /** The version of the state that has been told with it; of an event about several executions there is none. */
  readonly toldVersion?: number;
}

/** The members of the contract's interface ExecutionEvent, told apart by __typename. */
export type ExecutionEvent = Placed &
  (
    | { readonly __typename: 'ExecutionSnapshot'; readonly execution: Execution }
    | {
        readonly __typename: 'ExecutionStateChanged';
        readonly execution: Execution;
        readonly state: RunState;
        readonly version: number;
        readonly at: Date;
      }
    | { readonly __typename: 'ExecutionProgressed'; readonly execution: Execution }
    | {
        readonly __typename: 'RowsAppended';
        readonly execution: Execution;
        readonly page: RowPage;
      }
    | {
        readonly __typename: 'EventsSkipped';
        readonly execution: Execution | null;
        readonly reason: string;
      }
  );
