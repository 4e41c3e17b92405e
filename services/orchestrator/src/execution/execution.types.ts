import type { Execution, FinishedPosition, RunState } from '#libs/contracts';
import type { ReachedAssets } from '#libs/database';

/** Who looks: their own executions, or everyone's in the workspace. */
export interface Sight {
  readonly workspaceId: string;
  /** Undefined: everyone's. */
  readonly callerId: string | undefined;
}

/** An execution as it is stored; whether this caller may read its statement is decided by the service. */
export interface ExecutionView {
  /** Without its statement. */
  readonly execution: Execution;
  readonly sql: string;
  /** Where it stands in the list, in microseconds since the epoch. */
  readonly submittedMicros: number;
}

export interface ListFilter extends Sight {
  readonly states: readonly RunState[];
  readonly savedQueryId: string | undefined;
  readonly submittedById: string | undefined;
  readonly dataSourceId: string | undefined;
  /** In the statement, whatever the case of its letters. */
  readonly search: string | undefined;
  readonly readsPolicies: boolean;
  /** What the caller may still ask; undefined: everything. */
  readonly reached: ReachedAssets | undefined;
  /** Of which saved queries the caller may read the text; undefined: of all. */
  readonly readable: ReachedAssets | undefined;
  readonly submittedFrom: Date | undefined;
  /** Not included. */
  readonly submittedTo: Date | undefined;
}

export interface FinishedView {
  readonly position: Required<FinishedPosition>;
  readonly view: ExecutionView;
}
