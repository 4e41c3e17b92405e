import { LRUCache } from 'lru-cache';
import type { ExecutionChanged, RowsCommitted, RunChanged } from '#libs/contracts';
import type { RunLevel } from './run-level.js';
import { RunWatch, type Place, type WatchedIds } from './run-watch.js';

/** A change is remembered for as long as a subscriber may need to enter after the read that told it the run. */
const recentMax = 10_000;
const recentMs = 60_000;

/** The map from runs and executions to those who watch them. */
export class WatchedRuns {
  private readonly byRun = new Map<string, Set<RunWatch>>();
  private readonly byExecution = new Map<string, Set<RunWatch>>();
  private readonly recent = new LRUCache<string, RunLevel>({ max: recentMax, ttl: recentMs, ttlAutopurge: false });
  private readonly recentOwn = new LRUCache<string, Pick<ExecutionChanged, 'version' | 'changedAt'>>({
    max: recentMax,
    ttl: recentMs,
    ttlAutopurge: false,
  });

  get size(): number {
    let size = 0;
    for (const watches of this.byExecution.values()) size += watches.size;
    return size;
  }

  /**
   * Begins to watch. `readVersion` is what the caller has read before it knew the run's id: what was heard since counts
   * as heard by this watch, so nothing falls between that read and this call.
   */
  watch(ids: WatchedIds, readVersion: number): RunWatch {
    const latest = this.recent.get(ids.runId);
    const own = this.recentOwn.get(ids.executionId);
    const watch = new RunWatch(ids, readVersion, latest, (closed) => this.remove(closed));
    addTo(this.byRun, ids.runId, watch);
    addTo(this.byExecution, ids.executionId, watch);
    if (latest && latest.version > readVersion) watch.raiseKnown();
    if (own && own.version > readVersion) watch.raiseOwn(own.version, own.changedAt);
    return watch;
  }

  onRunChanged(level: RunChanged): void {
    const { runId } = level;
    const known = this.recent.peek(runId);
    if (!known || level.version >= known.version) this.recent.set(runId, level);
    for (const watch of this.byRun.get(runId) ?? []) watch.raise(level);
  }

  onExecutionChanged({ executionId, version, changedAt }: ExecutionChanged): void {
    this.recentOwn.set(executionId, { version, changedAt });
    for (const watch of this.byExecution.get(executionId) ?? []) watch.raiseOwn(version, changedAt);
  }

  onRowsCommitted({ runId, rows, bytes }: RowsCommitted): void {
    for (const watch of this.byRun.get(runId) ?? []) watch.raiseRows(rows, bytes);
  }

  /** The firehose has a gap: what was missed can be anything. */
  doubtAll(): void {
    this.recent.clear();
    this.recentOwn.clear();
    for (const watches of this.byExecution.values()) for (const watch of watches) watch.doubt();
  }

  /** Of all that is watched. */
  workspaceIds(): Set<string> {
    const ids = new Set<string>();
    for (const watches of this.byExecution.values()) for (const watch of watches) ids.add(watch.ids.workspaceId);
    return ids;
  }

  /** Who may see what may have changed there. */
  doubtWorkspace(workspaceId: string): void {
    for (const watches of this.byExecution.values()) {
      for (const watch of watches) if (watch.ids.workspaceId === workspaceId) watch.doubt();
    }
  }

  /** What is watched, for the reconciler. */
  executionIds(): string[] {
    return [...this.byExecution.keys()];
  }

  /** Those whose places in the queue somebody waits for. */
  waitingIds(): string[] {
    const waits = [...this.byExecution].filter(([, watches]) => [...watches].some((watch) => watch.waits));
    return waits.map(([id]) => id);
  }

  reconcile(executionId: string, version: number, place?: Place): void {
    for (const watch of this.byExecution.get(executionId) ?? []) watch.reconcile(version, place);
  }

  private remove(watch: RunWatch): void {
    removeFrom(this.byRun, watch.ids.runId, watch);
    removeFrom(this.byExecution, watch.ids.executionId, watch);
  }
}

function addTo(map: Map<string, Set<RunWatch>>, key: string, watch: RunWatch): void {
  const watches = map.get(key);
  if (watches) watches.add(watch);
  else map.set(key, new Set([watch]));
}

function removeFrom(map: Map<string, Set<RunWatch>>, key: string, watch: RunWatch): void {
  const watches = map.get(key);
  if (watches?.delete(watch) && watches.size === 0) map.delete(key);
}
