import type { Column, SourceHandle, Table } from '#libs/contracts';
import type { JsonObject, JsonValue } from '#libs/kernel';
import type { RowBatch } from '#libs/result-store';
import type { ReachPremises } from '#libs/sql';

/** A source with its secrets opened. It lives as long as a call; only connectors see it, and no log does. */
export interface OpenedSource {
  readonly id: string;
  readonly version: number;
  readonly options: JsonObject;
}

/** The run that a session is opened for. */
export interface SessionPurpose {
  readonly runId: string;
  readonly workspaceId: string;
  /** Who asked first; a run may answer others as well. */
  readonly submittedById: string;
  /** How long the source may take for the statement. */
  readonly timeoutMs: number;
  /** What the session says of the caller, by the name of the setting; only for sources that have such settings. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
}

/** One kind of data source. Its driver is loaded on first use. */
export interface Connector {
  /** A session in which nothing can be written, ready for one statement. */
  open(source: OpenedSource, purpose: SessionPurpose): Promise<SourceSession>;
  /** Proves that the source can be reached with these options; the answer is the server's version. */
  test(source: OpenedSource): Promise<string>;
  readSchema(source: OpenedSource): Promise<Table[]>;
  /** Ends what runs under the handle, if it is still that: false where nothing of that identity runs any more. */
  cancel(source: OpenedSource, handle: SourceHandle): Promise<boolean>;
  close(): Promise<void>;
}

/** A value as text, whose type the source finds out by where it stands; null is NULL. */
export type StatementValue = string | null;

/** What a source's planner says of a statement; what it does not say is absent. */
export interface StatementEstimate {
  /** Of the answer. */
  readonly rows?: number;
  readonly bytes?: number;
  /** In the source's own unit. */
  readonly cost?: number;
  /** Of the step of the plan that has the most. */
  readonly largestStepRows?: number;
  readonly plan: JsonValue;
}

/** A session of one run. It knows nothing of the runs before it and leaves nothing to those after it. */
export interface SourceSession {
  /** What lets any worker find the statement at the source and end it. */
  readonly handle: SourceHandle;
  /**
   * Asks the source, in the transaction of the statement and before it, whether a statement with row policies in it may
   * be run: whether its names mean what the policies took them for, and no view shows what they hide.
   * @throws AppError sql.rejected, with the reason for the log alone
   */
  confirm(reach: ReachPremises): Promise<void>;
  /** Has the source plan the statement, in its transaction and before it is run, if it is. Rejects as query does. */
  estimate(sql: string, values?: readonly StatementValue[]): Promise<StatementEstimate>;
  /**
   * Runs the statement with these values for its placeholders, once in a session. Rejects with an AppError where the
   * source refuses it.
   */
  query(sql: string, values?: readonly StatementValue[]): Promise<RowStream>;
  /** Stops the statement at the source; what waits for its rows then rejects or ends. Harmless at any time. */
  cancel(): Promise<void>;
  /** Gives the session back, clean, or ends it. */
  close(): Promise<void>;
}

/** Rows as they come. The source is read no faster than batches are taken. */
export interface RowStream {
  readonly columns: readonly Column[];
  /** The next rows; undefined behind the last. */
  next(): Promise<RowBatch | undefined>;
}
