import type { Execution, RunState } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { FakeClock } from '#libs/testing';
import { abortable } from '../src/events/abortable.js';
import { ExecutionFeed, type FeedSource } from '../src/events/execution-feed.js';
import { WatchedRuns } from '../src/events/watched-runs.js';
import { RawRows } from '../src/results/raw-rows.js';

export interface WorldStart {
  readonly includeRows: boolean;
  readonly nextRow: number;
  readonly toldVersion?: number | undefined;
  readonly turn?: FeedSource['turn'] | undefined;
  /** Throws where its subscriber's proof is no good any more. */
  readonly prove?: (() => void) | undefined;
}

/** A run as the services keep it, and the firehose that tells of it, whole or with messages lost. */
export class World {
  readonly runs = new WatchedRuns();
  readonly clock = new FakeClock();
  state: RunState = 'QUEUED';
  version = 1;
  rows = 0;
  expired = false;
  reads = 0;
  isOlderRelease = false;
  /** Its subscribers may no longer see it. */
  isHidden = false;
  /** Another version of the truth: the caller has left the run. */
  own: { state: RunState; version: number } | undefined;

  execution(): Execution {
    const { state, version } = this.own ?? this;
    const isFinal = finalStates.includes(state);
    return {
      id: 'exe_1',
      workspaceId: 'wsp_1',
      runId: 'run_1',
      fence: 1,
      state,
      version,
      dataSourceId: 'src_1',
      priority: 'INTERACTIVE',
      submittedById: 'usr_1',
      submittedAt: new Date(0),
      rows: this.rows,
      bytes: this.rows * 10,
      cacheStatus: 'MISS',
      attempts: 1,
      ...(isFinal ? { finishedAt: new Date(1_000) } : {}),
    };
  }

  commitRows(count: number, isHeard: boolean): void {
    this.rows += count;
    if (isHeard) {
      this.runs.onRowsCommitted({ runId: 'run_1', workspaceId: 'wsp_1', fence: 1, rows: this.rows, bytes: 0 });
    }
  }

  change(state: RunState, isHeard: boolean): void {
    this.state = state;
    this.version += 1;
    if (isHeard) this.tell();
  }

  tell(): void {
    const { state, version, rows } = this;
    const changedAt = new Date(500);
    this.runs.onRunChanged({
      runId: 'run_1',
      workspaceId: 'wsp_1',
      state,
      version,
      fence: 1,
      rows,
      bytes: 0,
      changedAt,
      finishedAt: finalStates.includes(state) ? new Date(1_000) : undefined,
      attempts: 1,
      wasLeft: this.isOlderRelease ? undefined : this.own !== undefined,
    });
  }

  reconcile(): void {
    this.runs.reconcile('exe_1', this.version);
  }

  subscribe(start: WorldStart) {
    const execution = this.execution();
    const watch = this.runs.watch({ executionId: 'exe_1', runId: 'run_1', workspaceId: 'wsp_1' }, execution.version);
    const source: FeedSource = {
      watch,
      clock: this.clock,
      read: async () => {
        this.reads += 1;
        start.prove?.();
        if (this.isHidden) throw new AppError('run.not_found', 'There is no such execution.');
        return this.execution();
      },
      readRows: async (_execution, offset) => {
        if (this.expired) throw new AppError('result.expired', 'The result has expired.');
        const count = Math.max(0, Math.min(this.rows - offset, 3));
        const rows = Array.from({ length: count }, (_, index) => new RawRows(`[${offset + index}]`));
        return { page: { offset, rows, endCursor: '', hasNextPage: true }, count };
      },
      turn: start.turn ?? (async () => () => undefined),
      // Whoever comes back later has no manifest that says it.
      rowsExpired: () => 0,
      cursor: ({ version }, nextRow) => `${version} ${nextRow}`,
    };
    const feed = new ExecutionFeed(source, { execution, ...start });
    const outer = new AbortController();
    return abortable(
      (signal) => feed.events(signal),
      outer.signal,
      () => watch.close(),
    );
  }
}

export const finalStates: readonly RunState[] = ['SUCCEEDED', 'FAILED', 'CANCELED', 'TIMED_OUT'];
