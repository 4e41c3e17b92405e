import type { Execution } from '#libs/contracts';
import { AppError, type Clock } from '#libs/kernel';
import { isFinal } from '../results/result-view.js';
import type { RowPage } from '../results/results.service.js';
import type { ExecutionEvent } from './execution-event.js';
import { executionAt } from './run-level.js';
import type { RunWatch } from './run-watch.js';

/** What a feed needs of the world. */
export interface FeedSource {
  readonly watch: RunWatch;
  readonly clock: Clock;
  /** The execution as it is now, never older than what was heard before the call. */
  read(): Promise<Execution>;
  /** The rows from `offset` on that can be read now, with the count of them; @throws AppError result.expired */
  readRows(execution: Execution, offset: number): Promise<{ page: RowPage; count: number }>;
  /** Resolves when rows may be read for this subscriber; call what it gives when they have been sent. */
  turn(): Promise<() => void>;
  /** How many rows the result had when it was looked at last, once they are gone. */
  rowsExpired(): number;
  cursor(execution: Execution, nextRow: number): string;
}

export interface FeedStart {
  /** Read after the watch had begun. */
  readonly execution: Execution;
  readonly includeRows: boolean;
  readonly nextRow: number;
  /** The version that this subscriber was told last, where they go on without another snapshot. */
  readonly toldVersion?: number | undefined;
}

/** Progress is told no more often than this. */
const progressIntervalMs = 500;
/** An idle feed reads again after this long what a lost message would have told: rows. */
const idleMsMax = 5_000;

/**
 * The events of one execution for one subscriber, drawn and never pushed: the next event is made when the last has left
 * for the socket. First the snapshot; then changes as levels, of which the latest always comes; rows in order, without
 * gap or repeat; the final state behind the last row. Ends without a final state only by a fault or by the signal.
 */
export class ExecutionFeed {
  private execution: Execution;
  private nextRow: number;
  private toldVersion: number;
  private toldProgress = '';
  private toldProgressAtMs = 0;
  private stateSeen = 0;
  private rowsSeen = -1;

  constructor(
    private readonly source: FeedSource,
    { execution, nextRow, includeRows, toldVersion }: FeedStart,
  ) {
    this.execution = execution;
    this.nextRow = nextRow;
    this.isContinued = toldVersion !== undefined;
    this.toldVersion = toldVersion ?? execution.version;
    this.wantsRows = includeRows;
    source.watch.readAt(execution.version, execution.state === 'QUEUED');
  }

  private readonly isContinued: boolean;
  private wantsRows: boolean;
  private endTurn = (): void => undefined;

  async *events(signal: AbortSignal): AsyncGenerator<ExecutionEvent, void, undefined> {
    try {
      if (!this.isContinued) yield this.tell({ __typename: 'ExecutionSnapshot' });
      for (;;) {
        const revision = this.source.watch.revision;
        if (!this.takeHeard()) await this.readAgain();
        if (isFinal(this.execution.state)) break;
        const event =
          this.stateChange() ?? (this.mayHaveRows ? await this.newRows(signal) : undefined) ?? this.progress();
        if (event) yield event;
        else {
          await this.heardMore(revision, signal);
          if (this.source.watch.revision === revision && !this.hasProgress) this.rowsSeen = -1;
        }
        if (signal.aborted) return;
      }
      for (let rows = await this.lastRows(signal); rows; rows = await this.lastRows(signal)) {
        yield rows;
        if (signal.aborted) return;
        // Sending may take long, and whoever may no longer see the execution is sent no more of it.
        if (!this.takeHeard()) await this.readAgain();
      }
      if (signal.aborted) return;
      yield this.toldState();
    } finally {
      this.endTurn();
    }
  }

  /** Takes over what was heard of the state since the last time; false where hearing does not tell it all. */
  private takeHeard(): boolean {
    const { stateRevision, doubtRevision, level } = this.source.watch;
    if (stateRevision <= this.stateSeen) return true;
    const heard = doubtRevision <= this.stateSeen ? executionAt(this.execution, level) : undefined;
    if (!heard) return false;
    this.accept(heard);
    this.stateSeen = stateRevision;
    return true;
  }

  private async readAgain(): Promise<void> {
    const { stateRevision } = this.source.watch;
    this.accept(await this.source.read());
    this.stateSeen = stateRevision;
  }

  private accept(read: Execution): void {
    // Versions only grow, so an older copy is a late one.
    if (read.version >= this.execution.version) this.execution = read;
    this.source.watch.readAt(this.execution.version, this.execution.state === 'QUEUED');
  }

  private stateChange(): ExecutionEvent | undefined {
    return this.execution.version > this.toldVersion ? this.toldState() : undefined;
  }

  /** Nothing is committed before a run has begun, and what was not there is there only after a message. */
  private get mayHaveRows(): boolean {
    return this.wantsRows && this.execution.state !== 'QUEUED' && this.source.watch.rowsRevision > this.rowsSeen;
  }

  private async newRows(signal: AbortSignal): Promise<ExecutionEvent | undefined> {
    const { rowsRevision } = this.source.watch;
    const event = await this.lastRows(signal);
    if (!event) this.rowsSeen = rowsRevision;
    return event;
  }

  private async lastRows(signal: AbortSignal): Promise<ExecutionEvent | undefined> {
    if (!this.wantsRows) return undefined;
    // When the next rows are drawn the last have been sent.
    this.endTurn();
    this.endTurn = await this.source.turn();
    // Whoever has left while waiting for a turn is read nothing for.
    if (signal.aborted) return undefined;
    // A turn may take long to come, and whoever may no longer see the execution meanwhile is read no rows.
    if (!this.takeHeard()) await this.readAgain();
    try {
      const { page, count } = await this.source.readRows(this.now(), this.nextRow);
      if (count === 0) {
        this.endTurn();
        return undefined;
      }
      this.nextRow += count;
      return this.tell({ __typename: 'RowsAppended', page });
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'result.expired') throw error;
      this.wantsRows = false;
      const rowCount = Math.max(this.source.rowsExpired(), this.execution.rows);
      // One who was told all of them, or that they are gone, has missed nothing; of a run that failed nobody has the count.
      if (this.execution.state === 'SUCCEEDED' && this.nextRow >= rowCount) return undefined;
      this.nextRow = Math.max(this.nextRow, rowCount);
      return this.tell({ __typename: 'EventsSkipped', reason: 'The result has expired.' });
    }
  }

  private progress(): ExecutionEvent | undefined {
    const isDue = this.source.clock.monotonicMs() - this.toldProgressAtMs >= progressIntervalMs;
    return isDue && this.hasProgress ? this.tell({ __typename: 'ExecutionProgressed' }) : undefined;
  }

  private get hasProgress(): boolean {
    return progressOf(this.now()) !== this.toldProgress;
  }

  /** Resolves when more has been heard, when progress is due, or when it is time to look after rows. */
  private heardMore(revision: number, signal: AbortSignal): Promise<void> {
    const { watch, clock } = this.source;
    const untilDueMs = progressIntervalMs - (clock.monotonicMs() - this.toldProgressAtMs);
    const timeoutMs = this.hasProgress ? Math.max(untilDueMs, 1) : idleMsMax;
    this.endTurn();
    return watch.heardMoreThan(revision, signal, timeoutMs);
  }

  private toldState(): ExecutionEvent {
    const { state, version, finishedAt, startedAt } = this.execution;
    this.toldVersion = version;
    const at = this.source.watch.changedAt(version) ?? finishedAt ?? startedAt ?? new Date(this.source.clock.nowMs());
    return this.tell({ __typename: 'ExecutionStateChanged', state, version, at });
  }

  /** The execution as last read, with the progress that was heard since. */
  private now(): Execution {
    const { level, place } = this.source.watch;
    const isPlaced = place && this.execution.state === 'QUEUED';
    const execution = isPlaced ? { ...this.execution, ...place } : this.execution;
    if (!level || isFinal(execution.state) || level.version < execution.version) return execution;
    const rows = Math.max(execution.rows, level.rows);
    const bytes = Math.max(execution.bytes, level.bytes);
    const fraction = level.fraction ?? execution.fraction;
    // Mostly nothing has come since it was read: then it is told as it is, and not copied for each event.
    const isSame = rows === execution.rows && bytes === execution.bytes && fraction === execution.fraction;
    return isSame ? execution : { ...execution, rows, bytes, fraction };
  }

  private tell(event: WithoutPlace<ExecutionEvent>): ExecutionEvent {
    const execution = this.now();
    this.toldProgress = progressOf(execution);
    this.toldProgressAtMs = this.source.clock.monotonicMs();
    const cursor = this.source.cursor(execution, this.nextRow);
    // A snapshot and the cursor behind the last row have the final version too, before that has been told.
    const told = event.__typename === 'ExecutionStateChanged' && isFinal(execution.state) ? 'all' : this.toldVersion;
    const place = `${cursor} ${told} ${this.toldProgress}`;
    return { ...event, execution, cursor, place, toldVersion: this.toldVersion };
  }
}

type WithoutPlace<E> = E extends unknown ? Omit<E, 'cursor' | 'execution' | 'place' | 'toldVersion'> : never;

function progressOf({ rows, bytes, fraction, queuePosition, estimatedWaitSeconds }: Execution): string {
  const waitSeconds = estimatedWaitSeconds === undefined ? '' : Math.round(estimatedWaitSeconds);
  return `${rows}/${bytes}/${fraction ?? ''}/${queuePosition ?? ''}/${waitSeconds}`;
}
