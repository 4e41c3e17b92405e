import type { MessageContext } from '#libs/bus';
import type { RequestOf, RunPlan, runRequests, SourceConnection, WorkspaceSettings } from '#libs/contracts';
import type { JsonObject } from '#libs/kernel';
import type { ReachPremises } from '#libs/sql';
import type { Freshness } from '../cache/freshness.js';
import type { ExecutionView } from '../execution/execution.types.js';
import type { PriorityClass } from '../run/run.types.js';
import type { ResolvedLimits } from './limits.js';

export type SubmitInput = RequestOf<typeof runRequests.submitExecution>;

/** For whom a question is asked, and how long somebody waits. A BusContext is one. */
export type AskingContext = MessageContext & {
  readonly signal: AbortSignal;
  /** Asked before anybody does: as the question of a person, so that it answers people, but behind them all. */
  readonly isWarmUp?: boolean;
};

/** A question that has passed every check and only needs its rows. */
export interface Submission {
  readonly executionId: string;
  /** The id of the run, where a new one is begun. */
  readonly runId: string;
  readonly workspaceId: string;
  readonly callerId: string;
  /** Whose use it counts as: of a guest, the service account's that let it in. */
  readonly accountId: string;
  readonly flightKey: Buffer;
  readonly source: SourceConnection;
  /** As sent to the source, with placeholders. */
  readonly sql: string;
  /** Secrets among them are sealed for `runId`. */
  readonly values: RunPlan['values'];
  /** Set where row policies are in the statement. */
  readonly reach: ReachPremises | undefined;
  /** As the execution shows them. */
  readonly parameters: JsonObject;
  readonly limits: ResolvedLimits;
  readonly class: PriorityClass;
  readonly isWarmUp: boolean;
  readonly savedQueryId: string | undefined;
  /** What the result is made of, by which it is invalidated; see cache-subjects.ts. */
  readonly cacheSubjects: readonly string[];
  readonly freshness: Freshness;
  /** What the workspace sets for itself. */
  readonly settings: WorkspaceSettings | undefined;
  readonly idempotency: Idempotency | undefined;
  readonly requestId: string;
  readonly traceparent: string;
  readonly traceId: string | undefined;
}

export interface Idempotency {
  readonly key: string;
  readonly inputHash: Buffer;
}

export type SubmissionOutcome =
  | {
      readonly kind: 'accepted';
      readonly view: ExecutionView;
      /** The run that was begun, for the caller or behind a stale answer. */
      readonly begun: BegunRun | undefined;
    }
  /** As of now, whatever metadata said a moment ago. */
  | { readonly kind: 'source_deleted' | 'source_paused' }
  /** The key was used before. */
  | { readonly kind: 'repeated' };

export interface BegunRun {
  readonly runId: string;
  readonly fence: number;
  /** Dispatched in the same transaction; its job is to be added now. */
  readonly isDispatched: boolean;
}

export interface EarlierCall {
  readonly executionId: string;
  readonly inputHash: Buffer;
}
