import { isFinal } from '../results/result-view.js';
import { Revision } from './revision.js';
import type { RunLevel } from './run-level.js';

export interface WatchedIds {
  readonly executionId: string;
  readonly runId: string;
  readonly workspaceId: string;
}

/** Where a run waits in the queue. */
export interface Place {
  readonly queuePosition: number | undefined;
  readonly estimatedWaitSeconds: number | undefined;
}

/**
 * One subscriber's ear at a run. Nothing is queued: what arrives raises a level and wakes whoever waits, so that a slow
 * subscriber costs as much memory as a quick one. A revision is a place in what was heard; whoever remembers the one
 * from before a read cannot miss what came during it.
 */
export class RunWatch {
  /** Its subscriber wants to be told its place. */
  waits = false;
  private readonly heard = new Revision();
  private stateHeard = 0;
  private rowsHeard = 0;
  private doubted = 0;
  private latestPlace: Place | undefined;
  private readonly ownChanges = new Map<number, Date>();

  constructor(
    readonly ids: WatchedIds,
    /** The version that the subscriber read last; the reconciler compares it with the service's. */
    public readVersion: number,
    private latest: RunLevel | undefined,
    private readonly onClose: (watch: RunWatch) => void,
  ) {}

  /** Grows with whatever is heard. */
  get revision(): number {
    return this.heard.value;
  }

  /** The revision at which the state was last said to have changed, or may have. */
  get stateRevision(): number {
    return this.stateHeard;
  }

  /** The revision at which something was heard that the level does not tell, so that only a read can. */
  get doubtRevision(): number {
    return this.doubted;
  }

  /** Likewise for committed rows. */
  get rowsRevision(): number {
    return this.rowsHeard;
  }

  /** Where it waits, as told since it was last read. */
  get place(): Place | undefined {
    return this.latestPlace;
  }

  get level(): RunLevel | undefined {
    return this.latest;
  }

  /** When this version came about, where it was heard. */
  changedAt(version: number): Date | undefined {
    return this.ownChanges.get(version) ?? (this.latest?.version === version ? this.latest.changedAt : undefined);
  }

  /** A change of the run. What an older version tells is over; of one version, the count of rows only grows. */
  raise(level: RunLevel): void {
    const { latest } = this;
    if (latest && level.version < latest.version) return;
    const isNewer = !latest || level.version > latest.version;
    this.latest = isNewer ? level : withRows(level, latest.rows, latest.bytes);
    this.hear({ state: isNewer, rows: false });
  }

  /** What was known when the watch began is news to its subscriber. */
  raiseKnown(): void {
    this.hear({ state: true, rows: true });
  }

  /** The execution has a state of its own now. */
  raiseOwn(version: number, changedAt: Date | undefined): void {
    if (changedAt) this.ownChanges.set(version, changedAt);
    this.hear({ state: true, rows: false, isDoubt: true });
  }

  /** Rows up to this count can be read. */
  raiseRows(rows: number, bytes: number): void {
    // How many a run has in the end its final state says.
    if (this.latest && !isFinal(this.latest.state)) this.latest = withRows(this.latest, rows, bytes);
    this.hear({ state: false, rows: true });
  }

  /** Something may have been missed: whatever is known is read again. */
  doubt(): void {
    this.hear({ state: true, rows: true, isDoubt: true });
  }

  /** The subscriber has read the execution; while it waits, its place is asked for. */
  readAt(version: number, waits: boolean): void {
    this.readVersion = version;
    this.waits = waits;
    this.latestPlace = undefined;
  }

  /** The reconciler's word: the service has this version, which waits at this place. */
  reconcile(version: number, place?: Place): void {
    if (version > this.readVersion) this.doubt();
    else if (place && this.waits) {
      this.latestPlace = place;
      this.hear({ state: false, rows: false });
    }
  }

  /** Resolves when more than `known` has been heard, after `timeoutMs`, or when the signal fires. */
  heardMoreThan(known: number, signal: AbortSignal, timeoutMs?: number): Promise<void> {
    return this.heard.beyond(known, signal, timeoutMs);
  }

  close(): void {
    this.onClose(this);
  }

  private hear(what: { state: boolean; rows: boolean; isDoubt?: boolean }): void {
    // What has changed is noted before anyone wakes to ask for it.
    const revision = this.heard.value + 1;
    if (what.state) this.stateHeard = revision;
    if (what.rows) this.rowsHeard = revision;
    if (what.isDoubt) this.doubted = revision;
    this.heard.raise();
  }
}

function withRows(level: RunLevel, rows: number, bytes: number): RunLevel {
  return { ...level, rows: Math.max(rows, level.rows), bytes: Math.max(bytes, level.bytes) };
}
